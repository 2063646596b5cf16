import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, countEvents, type House, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { everybody, methodDenied, objectDetails, type Who, who } from "./rows.ts";
import { type Ask, asking, refusal } from "./wire.ts";

describe.each(engines)("an organization's lockout settings on %s", (engine) => {
  let house: House;
  let cast: Cast;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    await asking(
      house,
      "admin",
      cast.owner,
    )("UpdateLockoutPolicy", {
      maxPasswordAttempts: 70,
      maxOtpAttempts: 80,
    });
  });
  afterAll(() => house.close());

  const ask = (name: Who = "orgOwner"): Ask => asking(house, "management", who[name](cast));
  const own = (limits: JsonObject) => ({
    policy: { details: objectDetails(cast.home.id), ...limits },
  });
  const instances = () => ({
    policy: {
      details: objectDetails(cast.instanceId),
      maxPasswordAttempts: "70",
      maxOtpAttempts: "80",
      isDefault: true,
    },
    isDefault: true,
  });

  test.each(protocolsOn(engine))(
    "come, change and go over %s, and win while they are there",
    async (protocol) => {
      const as = asking(house, "management", cast.orgOwner, protocol);
      const answer = { details: objectDetails(cast.home.id) };
      expect(await as("GetLockoutPolicy")).toEqual(instances());
      expect(await as("AddCustomLockoutPolicy", { maxPasswordAttempts: 5, maxOtpAttempts: 6 })).toEqual(
        answer,
      );
      expect(await as("GetLockoutPolicy")).toEqual(own({ maxPasswordAttempts: "5", maxOtpAttempts: "6" }));
      // What is left out is 0, not what it was.
      expect(await as("UpdateCustomLockoutPolicy", { maxOtpAttempts: 7 })).toEqual(answer);
      expect(await as("GetLockoutPolicy")).toEqual(own({ maxOtpAttempts: "7" }));
      expect(await as("ResetLockoutPolicyToDefault")).toEqual(answer);
      expect(await as("GetLockoutPolicy")).toEqual(instances());
    },
  );

  test("concern that organization only, named by the header", async () => {
    const header = { "x-zitadel-orgid": cast.elsewhere.id };
    const added = await ask("otherOrgOwner")("AddCustomLockoutPolicy", { maxPasswordAttempts: 9 }, header);
    expect(added).toEqual({ details: objectDetails(cast.elsewhere.id) });
    expect(await ask("otherOrgOwner")("GetLockoutPolicy", {}, header)).toMatchObject({
      policy: { maxPasswordAttempts: "9" },
    });
    expect(await ask()("GetLockoutPolicy")).toEqual(instances());
    await ask("otherOrgOwner")("ResetLockoutPolicyToDefault", {}, header);
  });

  test("can be added once, and changed or dropped while they are there", async () => {
    const missing = refused(Code.NotFound, "the organization has no lockout policy of its own", "GATE-S3tLn");
    const exists = refused(
      Code.AlreadyExists,
      "the organization has a lockout policy of its own already",
      "GATE-S3tLe",
    );
    expect(await refusal(ask()("UpdateCustomLockoutPolicy", { maxPasswordAttempts: 3 }))).toEqual(missing);
    expect(await refusal(ask()("ResetLockoutPolicyToDefault"))).toEqual(missing);
    await ask()("AddCustomLockoutPolicy", { maxPasswordAttempts: 3 });
    expect(await refusal(ask()("AddCustomLockoutPolicy", { maxPasswordAttempts: 3 }))).toEqual(exists);
    await ask()("ResetLockoutPolicyToDefault");
    expect(await refusal(ask()("ResetLockoutPolicyToDefault"))).toEqual(missing);
  });

  test("of 0 are settings too: nobody is locked, whatever the instance says", async () => {
    await ask()("AddCustomLockoutPolicy");
    expect(await ask()("GetLockoutPolicy")).toEqual(own({}));
    await ask()("ResetLockoutPolicyToDefault");
  });

  test("that stay as they are make no event", async () => {
    await ask()("AddCustomLockoutPolicy", { maxPasswordAttempts: 3 });
    const first = await ask()("UpdateCustomLockoutPolicy", { maxPasswordAttempts: 4 });
    const before = await house.operate(countEvents);
    expect(await ask()("UpdateCustomLockoutPolicy", { maxPasswordAttempts: 4 })).toEqual(first);
    expect(await house.operate(countEvents)).toBe(before);
    await ask()("ResetLockoutPolicyToDefault");
  });

  test("of the same organization, added twenty times at once, are added once", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => ask()("AddCustomLockoutPolicy", { maxPasswordAttempts: 3 })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await ask()("ResetLockoutPolicyToDefault");
  });

  test.each<[string, Who[]]>([
    ["AddCustomLockoutPolicy", ["owner", "orgOwner"]],
    ["UpdateCustomLockoutPolicy", ["owner", "orgOwner"]],
    ["ResetLockoutPolicyToDefault", ["owner", "orgOwner"]],
    [
      "GetLockoutPolicy",
      ["owner", "loginClient", "viewer", "orgOwner", "orgUserManager", "permissionEditor"],
    ],
  ])("%s: who may", async (method, holders) => {
    for (const name of everybody) {
      const outcome = await ask(name)(method).then(
        () => undefined,
        (error) => refusal(Promise.reject(error)),
      );
      if (holders.includes(name)) expect(outcome?.code).not.toBe(Code.PermissionDenied);
      else expect([name, outcome]).toEqual([name, methodDenied]);
    }
    // Whoever could has been busy.
    await ask()("ResetLockoutPolicyToDefault").catch(() => {});
  });

  test("of an organization nobody knows are refused with it", async () => {
    const header = { "x-zitadel-orgid": "nowhere" };
    expect(await refusal(ask("owner")("GetLockoutPolicy", {}, header))).toEqual(
      refused(Code.PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds"),
    );
  });
});
