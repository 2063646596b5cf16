import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MailServer, openMailServer } from "../../notify/mail-server.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { removeFromInstance, streamOf } from "../../support/fixtures.ts";
import { linkIn, mailsGoTo, mailTo } from "../delivery/post.ts";
import { protocolsOn } from "../protocols.ts";
import { asking, type Call, details, permissionDenied, refusal, uuid } from "../users/wire.ts";
import { failed, invalid, newDevice, newPerson, type Site, startSite } from "./site.ts";

const wrongCode = invalid("code is invalid", "COMMAND-Eeb2a");
const noUser = failed("user could not be found", "COMMAND-Df4b3");
const codeText = expect.stringMatching(/^[A-Za-z0-9]{12}$/) as unknown as string;

type PasskeyCode = { id: string; code: string };

describe.each(engines)("a passkey registration link on %s", (engine) => {
  let site: Site;
  let ask: Call;
  let nobody: Call;
  beforeAll(async () => {
    site = await startSite(engine);
    ask = asking(site, site.cast.owner);
    nobody = asking(site, site.cast.nobody);
  });
  afterAll(() => site.close());

  const link = async (userId: string) => {
    const { code } = await ask("CreatePasskeyRegistrationLink", { userId, returnCode: {} });
    return code as PasskeyCode;
  };
  const register = (userId: string, code: PasskeyCode, call: Call = nobody) =>
    call("RegisterPasskey", { userId, code });
  const verify = (userId: string, started: JsonObject, call: Call = nobody) =>
    call("VerifyPasskeyRegistration", {
      userId,
      passkeyId: started.passkeyId!,
      publicKeyCredential: newDevice().create(started.publicKeyCredentialCreationOptions),
      passkeyName: "Phone",
    });
  const eventsOf = (userId: string) =>
    site.operate(async (database) =>
      (await streamOf(database, "user", userId)).map(({ type }) =>
        type.replace("user.human.passwordless.", ""),
      ),
    );
  /** The same code with one character changed. */
  const almost = ({ id, code }: PasskeyCode): PasskeyCode => ({
    id,
    code: `${code.slice(0, -1)}${code.endsWith("x") ? "y" : "x"}`,
  });

  test.each(protocolsOn(engine))(
    "over %s lets whoever has it register a passkey, and only once",
    async (protocol) => {
      const { id: userId } = await newPerson(site);
      const answer = await asking(
        site,
        site.cast.owner,
        protocol,
      )("CreatePasskeyRegistrationLink", {
        userId,
        returnCode: {},
      });
      expect(answer).toEqual({ details: details(3, site.cast.home.id), code: { id: uuid, code: codeText } });
      const holder = asking(site, site.cast.nobody, protocol);
      const code = answer.code as PasskeyCode;
      const started = await register(userId, code, holder);
      expect(await verify(userId, started, holder)).toEqual({ details: details(6, site.cast.home.id) });
      expect(await refusal(register(userId, code, holder))).toEqual(wrongCode);
      expect(await refusal(register(userId, code, ask))).toEqual(wrongCode);
      expect(((await ask("ListPasskeys", { userId })).result as unknown[]).length).toBe(1);
    },
  );

  test("is used up by the beginning of a registration, which only its holder and the entitled complete", async () => {
    const { id: userId } = await newPerson(site);
    const started = await register(userId, await link(userId));
    const stranger = asking(site, site.cast.permissionEditor);
    expect(await refusal(verify(userId, started, stranger))).toEqual(permissionDenied);
    await verify(userId, started, ask);
  });

  test("entitles its holder to one registration, not to the next", async () => {
    const { id: userId } = await newPerson(site);
    const started = await register(userId, await link(userId));
    const next = await ask("RegisterPasskey", { userId });
    for (const registration of [started, next])
      expect(await refusal(verify(userId, registration))).toEqual(permissionDenied);
  });

  test("is what entitles its holder: who began by a permission and lost it does not end", async () => {
    const { id: userId } = await newPerson(site);
    const leaver = asking(site, site.cast.leaver);
    const started = await leaver("RegisterPasskey", { userId });
    await site.operate((database) => removeFromInstance(database, site.cast.leaver));
    expect(await refusal(verify(userId, started, asking(site, site.cast.leaver)))).toEqual(permissionDenied);
    await verify(userId, started, ask);
  });

  test("gives no right to a security key", async () => {
    const { id: userId } = await newPerson(site);
    const code = await link(userId);
    expect(await refusal(nobody("RegisterU2F", { userId }))).toEqual(permissionDenied);
    await register(userId, code);
    expect(await refusal(nobody("RegisterU2F", { userId }))).toEqual(permissionDenied);
  });

  test("is one of many: each is good by itself, up to the ten newest", async () => {
    const { id: userId } = await newPerson(site);
    const codes: PasskeyCode[] = [];
    for (let count = 0; count < 11; count++) codes.push(await link(userId));
    expect(await refusal(register(userId, codes[0]!))).toEqual(wrongCode);
    await register(userId, codes[1]!);
    await register(userId, codes[10]!);
    expect(await refusal(register(userId, { id: codes[2]!.id, code: codes[3]!.code }))).toEqual(wrongCode);
    await register(userId, codes[2]!);
  });

  test("is good for an hour", async () => {
    const [punctual, late] = [await newPerson(site), await newPerson(site)];
    const [first, second] = [await link(punctual.id), await link(late.id)];
    site.ahead += 3_540_000;
    await register(punctual.id, first);
    site.ahead += 61_000;
    expect(await refusal(register(late.id, second))).toEqual(wrongCode);
  });

  test("is worth nothing with another code, another id, or for another user", async () => {
    const [one, other] = [await newPerson(site), await newPerson(site)];
    const code = await link(one.id);
    for (const [userId, given] of [
      [one.id, almost(code)],
      [one.id, { ...code, code: code.code.toLowerCase() === code.code ? "x" : code.code.toLowerCase() }],
      [one.id, { ...code, code: `${code.code} ` }],
      [one.id, { ...code, id: "another" }],
      [other.id, code],
      ["nobody-at-all", code],
      [site.cast.viewer.id, code],
    ] as const) {
      expect(await refusal(register(userId, given))).toEqual(wrongCode);
    }
    // Who may know is told that there is nobody.
    expect(await refusal(register("nobody-at-all", code, ask))).toEqual(noUser);
    await register(one.id, code);
  });

  test("counts wrong guesses at the user, and is void after ten, the right one included", async () => {
    const { id: userId } = await newPerson(site);
    const code = await link(userId);
    const guesses = Array.from({ length: 20 }, () => refusal(register(userId, almost(code))));
    for (const guess of await Promise.all(guesses)) expect(guess).toEqual(wrongCode);
    expect(await refusal(register(userId, code))).toEqual(wrongCode);
    const failures = (await eventsOf(userId)).filter((type) => type === "initialization.code.check.failed");
    expect(failures).toHaveLength(10);
  });

  test("used fifty times at once begins one registration", async () => {
    const { id: userId } = await newPerson(site);
    const code = await link(userId);
    const attempts = await Promise.allSettled(Array.from({ length: 50 }, () => register(userId, code)));
    expect(attempts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await eventsOf(userId)).slice(2)).toEqual([
      "initialization.code.added",
      "initialization.code.check.succeeded",
      "token.added",
    ]);
  });

  test("is encrypted where it is stored", async () => {
    const { id: userId } = await newPerson(site);
    const { id, code } = await link(userId);
    await site.operate(async (database) => {
      const stored = JSON.stringify(await streamOf(database, "user", userId));
      expect(stored).toContain(id);
      expect(stored).not.toContain(code);
    });
  });

  test("is requested where it is to be sent, and not returned", async () => {
    const { id: userId } = await newPerson(site);
    const media: JsonObject[] = [
      {},
      { sendLink: {} },
      { sendLink: { urlTemplate: "https://acme.example/{{.UserID}}/{{.CodeID}}/{{.Code}}?o={{.OrgID}}" } },
    ];
    for (const medium of media) {
      const answer = await ask("CreatePasskeyRegistrationLink", { userId, ...medium });
      expect(Object.keys(answer)).toEqual(["details"]);
    }
    expect((await eventsOf(userId)).slice(2)).toEqual(new Array(3).fill("initialization.code.requested"));
  });

  test.each([
    ["https://acme.example/{{.Code", "DOMAIN-oGh5e"],
    ["https://acme.example/{{.SessionID}}", "DOMAIN-ieYa7"],
  ])("with the template %s is refused", async (urlTemplate, id) => {
    const { id: userId } = await newPerson(site);
    const attempt = ask("CreatePasskeyRegistrationLink", { userId, sendLink: { urlTemplate } });
    expect(await refusal(attempt)).toMatchObject({ code: Code.InvalidArgument, id });
  });

  describe("is made", () => {
    const methodDenied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-5mWD2");

    test("by who has user.passkey.write, and by nobody else: not even by the person itself", async () => {
      const { cast } = site;
      const { id: userId } = await newPerson(site);
      const request = { userId, returnCode: {} };
      for (const maker of [cast.owner, cast.loginClient, cast.userManager, cast.orgOwner]) {
        await asking(site, maker)("CreatePasskeyRegistrationLink", request);
      }
      for (const stranger of [cast.nobody, cast.viewer, cast.orgUserManager, cast.permissionEditor]) {
        const attempt = asking(site, stranger)("CreatePasskeyRegistrationLink", request);
        expect(await refusal(attempt)).toEqual(methodDenied);
      }
      // Holds it, but elsewhere.
      const elsewhere = { "x-zitadel-orgid": cast.elsewhere.id };
      const foreign = asking(site, cast.otherOrgOwner)("CreatePasskeyRegistrationLink", request, elsewhere);
      expect(await refusal(foreign)).toEqual(permissionDenied);
    });

    test("for a person that exists", async () => {
      for (const userId of ["nobody-at-all", site.cast.nobody.id]) {
        const attempt = ask("CreatePasskeyRegistrationLink", { userId, returnCode: {} });
        expect(await refusal(attempt)).toEqual(noUser);
      }
    });
  });
});

describe("a passkey registration link by mail", () => {
  let site: Site;
  let mails: MailServer;
  beforeAll(async () => {
    mails = await openMailServer();
    site = await startSite("pglite");
    await mailsGoTo(site, site.cast.owner, mails);
  });
  afterAll(async () => {
    await site.close();
    await mails.close();
  });

  test("brings code and id to the person's address, and both register", async () => {
    const { id: userId, loginName } = await newPerson(site);
    const ask = asking(site, site.cast.owner);
    const urlTemplate =
      "https://acme.example/passkey/{{.UserID}}?org={{.OrgID}}&id={{.CodeID}}&code={{.Code}}";
    await ask("CreatePasskeyRegistrationLink", { userId, sendLink: { urlTemplate } });
    const link = new URL(linkIn(await mailTo(mails, loginName)));
    expect(link.pathname).toBe(`/passkey/${userId}`);
    expect(link.searchParams.get("org")).toBe(site.cast.home.id);
    const code = { id: link.searchParams.get("id")!, code: link.searchParams.get("code")! };
    const holder = asking(site, site.cast.nobody);
    await holder("RegisterPasskey", { userId, code });
    expect(await refusal(holder("RegisterPasskey", { userId, code }))).toEqual(wrongCode);
    const eventTypes = () =>
      site.operate(async (database) => (await streamOf(database, "user", userId)).map(({ type }) => type));
    await expect
      .poll(eventTypes, { timeout: 10_000 })
      .toContain("user.human.passwordless.initialization.code.sent");
  });
});
