import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turnOver } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { endTogether } from "../../src/transport/end-together.ts";

/** Requests that came in and are not answered, in the order they came in; and what each is answered in the end. */
async function openRequests(
  count: number,
): Promise<{ responses: ServerResponse[]; answers: Promise<string[]> }> {
  const responses: ServerResponse[] = [];
  const here = Promise.withResolvers<void>();
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    if (responses.push(response) === count) here.resolve();
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const texts = Array.from({ length: count }, async (_, index) =>
    (await fetch(`http://127.0.0.1:${port}/${index}`)).text(),
  );
  await here.promise;
  return { responses, answers: Promise.all(texts) };
}

const ended = (responses: ServerResponse[]) => responses.filter(({ writableEnded }) => writableEnded);

describe("responses that are ended together", () => {
  it("wait for what is answered in the same turn of the event loop, and for no longer", async () => {
    const { responses, answers } = await openRequests(3);
    endTogether(responses[2]!, "c");
    endTogether(responses[0]!, Buffer.from("a"));
    expect(ended(responses)).toEqual([]);
    await turnOver();
    expect(ended(responses)).toEqual([responses[0], responses[2]]);
    endTogether(responses[1]!, "b");
    await turnOver();
    expect((await answers).sort()).toEqual(["a", "b", "c"]);
  });

  it("do not wait for more than 31 others, and all get their own answer", async () => {
    const { responses, answers } = await openRequests(70);
    for (const response of responses) endTogether(response, `to ${response.req.url}`);
    expect(ended(responses)).toHaveLength(64);
    expect(await answers).toEqual(responses.map((_, index) => `to /${index}`));
  });

  it("leave out who has gone in between", async () => {
    const { responses, answers } = await openRequests(2);
    const all = Promise.allSettled([answers]);
    for (const response of responses) endTogether(response, "here");
    responses[0]!.destroy();
    await turnOver();
    expect(ended(responses)).toEqual([responses[1]]);
    expect((await all)[0]!.status).toBe("rejected");
  });
});
