import type { JsonObject } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "../../support/databases.ts";
import { walkThrough } from "../../support/openid-provider.ts";
import { refusal } from "../settings/wire.ts";
import { ada, CLIENT_SECRET, openWalkway, type Walkway } from "./walk.ts";

describe.each(engines)("after every kind of walk on %s", (engine) => {
  let way: Walkway;
  const lines: string[] = [];
  const refusals: string[] = [];
  const secrets = new Map<string, string>([["the client's secret", CLIENT_SECRET]]);
  let dump: string[] = [];

  beforeAll(async () => {
    const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
    way = await openWalkway(engine, { server: { logger } });
    const [oidc, oauth] = [
      await way.addOidc({ scopes: ["openid", "email", "offline_access"] }),
      await way.addOAuth(),
    ];
    for (const idpId of [oidc, oauth]) await walkOnce(idpId);
    await failOnce(oidc);
    dump = await way.house.operate(async ({ db }) => {
      const tables = ["events", "identity_providers", "idp_intents", "users", "sessions"];
      const rows = await Promise.all(
        tables.map((table) =>
          sql<{ row: object }>`SELECT to_jsonb(t) AS row FROM ${sql.table(table)} t`.execute(db),
        ),
      );
      return rows.flatMap((result) => result.rows.map(({ row }) => JSON.stringify(row)));
    });
  });
  afterAll(() => way.close());

  async function walkOnce(idpId: string): Promise<void> {
    const { url } = await walkThrough(await way.start(idpId), ada);
    secrets.set(`a code ${secrets.size}`, url.searchParams.get("code")!);
    const response = await way.callback(url);
    const back = Object.fromEntries(new URL(response.headers.get("location")!).searchParams);
    const { id, token } = back as { id: string; token: string };
    secrets.set(`an intent token ${secrets.size}`, token);
    // The generated client of the other protocols is older than refresh tokens.
    const ask = way.as(way.cast.nobody, "user", "REST");
    const { idpInformation } = await ask("RetrieveIdentityProviderIntent", {
      idpIntentId: id,
      idpIntentToken: token,
    });
    for (const [name, value] of Object.entries((idpInformation as JsonObject).oauth as JsonObject)) {
      secrets.set(`the ${name} ${secrets.size}`, value as string);
    }
    const wrong = { idpIntentId: id, idpIntentToken: `${token.slice(0, -3)}AAA` };
    refusals.push(JSON.stringify(await refusal(ask("RetrieveIdentityProviderIntent", wrong))));
    const checks = { user: { userId: way.cast.zoe.id }, idpIntent: { ...wrong, idpIntentToken: token } };
    const create = way.as(way.cast.loginClient, "session")("CreateSession", { checks });
    refusals.push(JSON.stringify(await refusal(create)));
    refusals.push(await (await way.callback(url)).text());
  }

  async function failOnce(idpId: string): Promise<void> {
    const { url } = await walkThrough(await way.start(idpId), ada);
    secrets.set("the code of a failure", url.searchParams.get("code")!);
    // The provider goes away between the code and the exchange.
    await way.provider.close();
    const response = await way.callback(url);
    refusals.push(response.headers.get("location")!);
    expect(response.headers.get("location")).toContain("temporarily_unavailable");
  }

  test("there was something to hide, and places to look for it", () => {
    expect([...secrets.keys()].join()).toMatch(/accessToken.*idToken.*refreshToken.*accessToken/);
    expect([...secrets.values()].every((secret) => typeof secret === "string" && secret.length > 15)).toBe(
      true,
    );
    expect(lines.filter((line) => line.includes("a walk to an identity provider has ended"))).toHaveLength(3);
    expect(dump.filter((row) => row.includes("idpintent.succeeded"))).toHaveLength(2);
    expect(refusals).toHaveLength(7);
  });

  const places = { log: () => lines, database: () => dump, answers: () => refusals };

  test.each(Object.keys(places) as (keyof typeof places)[])("no secret is in the %s", (place) => {
    const found = [...secrets]
      .flatMap(([name, secret]) => [
        [name, secret],
        [`${name} in base64`, Buffer.from(secret).toString("base64")],
        [`${name} in base64url`, Buffer.from(secret).toString("base64url")],
      ])
      .filter(([, secret]) => places[place]().some((text) => text.includes(secret!)))
      .map(([name]) => name);
    expect(found).toEqual([]);
  });
});
