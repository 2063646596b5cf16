import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "../../support/databases.ts";
import { type Cast, countEvents, type House, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { everybody, type Who, who } from "../settings/rows.ts";
import { type Calls, callsOf, outcomeOf } from "./calls.ts";

const fresh = {
  concurrency: { policy: "CONCURRENCY_POLICY_REFUSE" },
  onPasswordChange: "SESSIONS_AFFECTED_OTHERS",
  onFactorRemoval: "SESSIONS_AFFECTED_OTHERS",
  retention: { foldAfterDays: 30, removeAfterDays: 90 },
};

const everything = {
  maxLifetime: "3600.500s",
  idleLifetime: "60s",
  concurrency: { maxSessionsPerUser: 1000, policy: "CONCURRENCY_POLICY_END_OLDEST" },
  onPasswordChange: "SESSIONS_AFFECTED_ALL",
  onFactorRemoval: "SESSIONS_AFFECTED_NONE",
  retention: { foldAfterDays: 7, removeAfterDays: 36_500 },
};

const twoAndRefuse = { maxSessionsPerUser: 2, policy: "CONCURRENCY_POLICY_REFUSE" };
const denied = "[permission_denied] No matching permissions found";

describe.each(engines)("session settings on %s", (engine) => {
  let house: House;
  let cast: Cast;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
  });
  afterAll(() => house.close());

  const as = (name: Who): Calls => callsOf(house, who[name](cast).token);
  const set = (settings: JsonObject, name: Who = "owner") =>
    as(name).settings("SetSessionSettings", { settings });
  const ofHome = () => ({ organizationId: cast.home.id });

  test.each(protocolsOn(engine))(
    "are read and replaced over %s, what is left out being as at first",
    async (protocol) => {
      const { settings } = callsOf(house, cast.owner.token, protocol);
      const read = async () => (await settings("GetSessionSettings")).settings;
      const details = expect.objectContaining({ resourceOwner: cast.instanceId });
      expect(await settings("GetSessionSettings")).toEqual({ details, settings: fresh });
      expect(await settings("SetSessionSettings", { settings: everything })).toEqual({ details });
      expect(await read()).toEqual(everything);
      await settings("SetSessionSettings", { settings: { idleLifetime: "90s" } });
      expect(await read()).toEqual({ ...fresh, idleLifetime: "90s" });
      await settings("SetSessionSettings", { settings: { retention: {}, concurrency: {} } });
      expect(await read()).toEqual({ ...fresh, retention: {} });
      await settings("SetSessionSettings", { settings: {} });
      expect(await read()).toEqual(fresh);
    },
  );

  test.each(protocolsOn(engine))(
    "give an organization its own limit over %s, and take it back",
    async (protocol) => {
      const { settings } = callsOf(house, cast.orgOwner.token, protocol);
      const details = expect.objectContaining({ resourceOwner: cast.home.id });
      const own = { details, settings: { ...fresh, concurrency: twoAndRefuse }, isConcurrencyOwn: true };
      const instances = {
        details: expect.objectContaining({ resourceOwner: cast.instanceId }),
        settings: fresh,
      };
      expect(await settings("GetSessionSettings", ofHome())).toEqual(instances);
      const given = { ...ofHome(), concurrency: twoAndRefuse };
      expect(await settings("SetOrganizationConcurrency", given)).toEqual({ details });
      expect(await settings("GetSessionSettings", ofHome())).toEqual(own);
      // No limit is a limit of its own too.
      await settings("SetOrganizationConcurrency", { ...ofHome(), concurrency: {} });
      expect(await settings("GetSessionSettings", ofHome())).toEqual({
        ...own,
        settings: fresh,
      });
      expect(await settings("ResetOrganizationConcurrency", ofHome())).toEqual({ details });
      expect(await settings("GetSessionSettings", ofHome())).toEqual(instances);
    },
  );

  test("of an organization concern no other", async () => {
    await as("orgOwner").settings("SetOrganizationConcurrency", { ...ofHome(), concurrency: twoAndRefuse });
    const elsewhere = { organizationId: cast.elsewhere.id };
    expect(await as("otherOrgOwner").settings("GetSessionSettings", elsewhere)).toMatchObject({
      settings: fresh,
    });
    expect(await as("owner").settings("GetSessionSettings")).toMatchObject({ settings: fresh });
    await as("orgOwner").settings("ResetOrganizationConcurrency", ofHome());
  });

  test("that are so already make no event, nested ones either", async () => {
    const { settings } = as("owner");
    const given = { ...ofHome(), concurrency: twoAndRefuse };
    const first = [await set(everything), await settings("SetOrganizationConcurrency", given)];
    const before = await house.operate(countEvents);
    const again = callsOf(house, cast.owner.token).settings;
    expect([
      await again("SetSessionSettings", { settings: everything }),
      await again("SetOrganizationConcurrency", given),
    ]).toEqual(first);
    expect(await house.operate(countEvents)).toBe(before);
    await set({ ...everything, retention: { foldAfterDays: 7, removeAfterDays: 8 } });
    await as("owner").settings("ResetOrganizationConcurrency", ofHome());
    expect(await house.operate(countEvents)).toBe(before + 2);
    await as("owner").settings("ResetOrganizationConcurrency", ofHome());
    expect(await house.operate(countEvents)).toBe(before + 2);
    await set({});
  });

  test.each<[JsonObject, string]>([
    [{ maxLifetime: "0s" }, "MaxLifetime: value must be greater than 0s"],
    [{ maxLifetime: "-1s" }, "MaxLifetime: value must be greater than 0s"],
    [{ maxLifetime: "3153600000.000000001s" }, "max_lifetime: must be above zero and at most 36,500 days"],
    [{ idleLifetime: "0s" }, "IdleLifetime: value must be greater than 0s"],
    [{ idleLifetime: "59.998999s" }, "idle_lifetime: must be at least a minute and at most 36,500 days"],
    [{ idleLifetime: "3153600001s" }, "idle_lifetime: must be at least a minute and at most 36,500 days"],
    [
      { concurrency: { maxSessionsPerUser: 1001 } },
      "concurrency.max_sessions_per_user: must be at most 1000",
    ],
    [{ retention: { foldAfterDays: 36_501 } }, "retention.fold_after_days: must be at most 36,500"],
    [{ retention: { removeAfterDays: 36_501 } }, "retention.remove_after_days: must be at most 36,500"],
    [
      { retention: { foldAfterDays: 10, removeAfterDays: 9 } },
      "retention.remove_after_days: must not be less than fold_after_days",
    ],
  ])("refuse %j and say why", async (settings, words) => {
    const before = await as("owner").settings("GetSessionSettings");
    const outcome = await outcomeOf(set(settings));
    expect(outcome).toContain("[invalid_argument]");
    expect(outcome).toContain(words);
    expect(await as("owner").settings("GetSessionSettings")).toEqual(before);
  });

  test("refuse numbers of enums nobody defined, and a limit above the bound for an organization too", async () => {
    const { settings } = callsOf(house, cast.owner.token, "Connect");
    const enums: JsonObject[] = [
      { onPasswordChange: 4 },
      { onFactorRemoval: 4 },
      { concurrency: { policy: 3 } },
    ];
    for (const each of enums) {
      expect(await outcomeOf(settings("SetSessionSettings", { settings: each }))).toContain(
        "value must be one of the defined enum values",
      );
    }
    const tooMany = { ...ofHome(), concurrency: { maxSessionsPerUser: 1001 } };
    expect(await outcomeOf(settings("SetOrganizationConcurrency", tooMany))).toContain(
      "concurrency.max_sessions_per_user",
    );
    expect(await outcomeOf(settings("SetSessionSettings", {}))).toContain("Settings: value is required");
    expect(await outcomeOf(settings("SetOrganizationConcurrency", ofHome()))).toContain(
      "Concurrency: value is required",
    );
  });

  const readersAtHome: Who[] = [
    "owner",
    "loginClient",
    "viewer",
    "orgOwner",
    "orgUserManager",
    "permissionEditor",
  ];
  test.each<[string, (name: Who) => Promise<JsonObject>, Who[]]>([
    ["read", (name) => as(name).settings("GetSessionSettings"), ["owner", "loginClient", "viewer"]],
    ["read at home", (name) => as(name).settings("GetSessionSettings", ofHome()), readersAtHome],
    ["replaced", (name) => set({}, name), ["owner"]],
    [
      "set at home",
      (name) => as(name).settings("SetOrganizationConcurrency", { ...ofHome(), concurrency: twoAndRefuse }),
      ["owner", "orgOwner"],
    ],
    [
      "reset at home",
      (name) => as(name).settings("ResetOrganizationConcurrency", ofHome()),
      ["owner", "orgOwner"],
    ],
  ])("are %s by whoever holds the permission", async (_, call, holders) => {
    for (const name of everybody) {
      const outcome = await outcomeOf(call(name));
      if (holders.includes(name)) expect([name, outcome]).toEqual([name, "ok"]);
      else expect([name, outcome]).toEqual([name, expect.stringContaining(denied)]);
    }
  });

  test("of an organization nobody knows are refused", async () => {
    const nowhere = { organizationId: "nowhere" };
    const { settings } = as("owner");
    expect(await outcomeOf(settings("GetSessionSettings", nowhere))).toContain("Organisation doesn't exist");
    expect(
      await outcomeOf(settings("SetOrganizationConcurrency", { ...nowhere, concurrency: twoAndRefuse })),
    ).toContain("[not_found]");
    expect(await outcomeOf(settings("ResetOrganizationConcurrency", nowhere))).toContain("[not_found]");
    expect(await outcomeOf(as("orgOwner").settings("ResetOrganizationConcurrency", nowhere))).toContain(
      denied,
    );
  });
});
