import type pg from "pg";
import { ADDING_CALLERS, addOrganization, addPeople } from "./accounts.ts";
import { openApi } from "./api.ts";
import type { Child } from "./child.ts";
import { databasePid, openClient } from "./database-client.ts";
import { cpuSeconds, familyCpuSeconds } from "./process-use.ts";
import { type SimulatedClock, simulateClock } from "./simulated-clock.ts";
import type { Node, Stage } from "./stage.ts";

/** A server with people, on a database with a clock of its own. */
export type House = {
  databaseUrl: string;
  node: Node;
  client: pg.Client;
  clock: SimulatedClock;
  userIds: string[];
  /** Processor time of the server and of all of PostgreSQL; undefined where the system does not tell. */
  cpuSeconds(): number | undefined;
};

const PEOPLE = 100;

export async function openHouse(
  undo: AsyncDisposableStack,
  stage: Child<Stage>,
  name: string,
): Promise<House> {
  const databaseUrl = await stage.call("createDatabase", name);
  const client = undo.use(await openClient(databaseUrl));
  const clock = await simulateClock(client);
  const node = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", node));
  const api = openApi(node, ADDING_CALLERS);
  const userIds = await addPeople(api, await addOrganization(api, "Retention"), PEOPLE);
  api.close();
  const postgresPid = await databasePid(databaseUrl);
  return {
    ...{ databaseUrl, node, client, clock, userIds },
    cpuSeconds: () =>
      postgresPid === undefined ? undefined : cpuSeconds(node.pid)! + familyCpuSeconds(postgresPid)!,
  };
}
