import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OrganizationRepository } from "../../../src/storage/organization-repository.ts";
import { type HttpReceiver, isSigned, openReceiver } from "../../notify/http-receiver.ts";
import { type MailServer, openMailServer } from "../../notify/mail-server.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, startHouse, streamOf } from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { methodDenied, objectDetails } from "../settings/rows.ts";
import { type Ask, asking, refusal } from "../settings/wire.ts";
import { person, uuid } from "../users/wire.ts";
import { mailTo, textTo } from "./post.ts";

const notFound = refused(Code.NotFound, "provider could not be found", "GATE-Pr0vn");
const invalid = (text: string) => refused(Code.InvalidArgument, text, "GATE-Pr0vi");

const smtp = {
  senderAddress: "no-reply@example.com",
  senderName: "Gatehouse",
  host: "mail.example.com:587",
  tls: true,
  description: "our mails",
};

/** Every way to add a provider: its request and the channel it is for. */
const additions: Record<string, { channel: "Email" | "SMS"; request: JsonObject }> = {
  AddEmailProviderSMTP: {
    channel: "Email",
    request: { ...smtp, user: "relay", plain: { password: "p4ss" } },
  },
  AddEmailProviderHTTP: { channel: "Email", request: { endpoint: "https://mail.example.com/send" } },
  AddSMSProviderHTTP: { channel: "SMS", request: { endpoint: "https://sms.example.com/send" } },
  AddSMSProviderTwilio: {
    channel: "SMS",
    request: { sid: "AC01", token: "t0ken", senderNumber: "+15005550006", description: "texts" },
  },
};

describe.each(engines)("delivery providers on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let mails: MailServer;
  let texts: HttpReceiver;
  beforeAll(async () => {
    [mails, texts] = [await openMailServer(), await openReceiver(() => ({ status: 201, body: "{}" }))];
    house = await startHouse(engine, { server: { delivery: { twilioUrl: texts.url } } });
    cast = house.cast;
  });
  afterAll(async () => {
    await house.close();
    await mails.close();
    await texts.close();
  });

  const admin = (protocol?: Protocol): Ask => asking(house, "admin", cast.owner, protocol);
  const stored = async () => {
    const instance = (await house.operate(({ db }) => new OrganizationRepository(db).instance()))!;
    return { Email: instance.emailProviders, SMS: instance.smsProviders };
  };
  const activeIds = async (channel: "Email" | "SMS") =>
    (await stored())[channel].filter(({ active }) => active).map(({ id }) => id);

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test.each(Object.keys(additions))("%s, and what can be done with it", async (method) => {
      const { channel, request } = additions[method]!;
      const ask = admin(protocol);
      const added = await ask(method, request);
      expect(added).toMatchObject({ id: uuid, details: objectDetails(cast.instanceId) });
      const id = added.id as string;
      const sequence = ({ details }: JsonObject) => Number((details as JsonObject).sequence);
      const activated = await ask(`Activate${channel}Provider`, { id });
      expect(activated).toEqual({ details: objectDetails(cast.instanceId) });
      expect(sequence(activated)).toBe(sequence(added) + 1);
      // Again changes nothing.
      expect(await ask(`Activate${channel}Provider`, { id })).toEqual(activated);
      const deactivated = await ask(`Deactivate${channel}Provider`, { id });
      expect(sequence(deactivated)).toBe(sequence(added) + 2);
      expect(await ask(`Deactivate${channel}Provider`, { id })).toEqual(deactivated);
      await ask(`Remove${channel}Provider`, { id });
      for (const verb of ["Activate", "Deactivate", "Remove"]) {
        expect(await refusal(ask(`${verb}${channel}Provider`, { id }))).toEqual(notFound);
      }
    });
  });

  test("of a channel one is active at most, and the other channel is another matter", async () => {
    const ask = admin();
    const ids: Record<string, string> = {};
    for (const [method, { channel, request }] of Object.entries(additions)) {
      ids[method] = (await ask(method, request)).id as string;
      await ask(`Activate${channel}Provider`, { id: ids[method] });
    }
    expect(await activeIds("Email")).toEqual([ids.AddEmailProviderHTTP]);
    expect(await activeIds("SMS")).toEqual([ids.AddSMSProviderTwilio]);
    expect((await stored()).SMS.map(({ config }) => config)).toEqual([
      { endpoint: "https://sms.example.com/send" },
      { sid: "AC01", senderNumber: "+15005550006", verifyServiceSid: "" },
    ]);
    // A provider of one channel is unknown to the other.
    const wrong = ask("ActivateSMSProvider", { id: ids.AddEmailProviderHTTP! });
    expect(await refusal(wrong)).toEqual(notFound);
    for (const [method, { channel }] of Object.entries(additions)) {
      await ask(`Remove${channel}Provider`, { id: ids[method]! });
    }
    expect(await stored()).toEqual({ Email: [], SMS: [] });
  });

  test("takes iam.write, also to learn whether there is such a provider", async () => {
    const calls: [string, JsonObject][] = [
      ...Object.entries(additions).map(([method, { request }]): [string, JsonObject] => [method, request]),
      ...["Activate", "Deactivate", "Remove"].flatMap((verb): [string, JsonObject][] => [
        [`${verb}EmailProvider`, { id: "x" }],
        [`${verb}SMSProvider`, { id: "x" }],
      ]),
    ];
    for (const caller of [cast.nobody, cast.viewer, cast.loginClient, cast.userManager, cast.orgOwner]) {
      for (const [method, request] of calls) {
        expect(await refusal(asking(house, "admin", caller)(method, request))).toEqual(methodDenied);
      }
    }
    expect(await stored()).toEqual({ Email: [], SMS: [] });
  });

  test.each<[string, string, JsonObject, string]>([
    ["a host that is none", "AddEmailProviderSMTP", { ...smtp, host: "a b:25" }, "the host is no name:port"],
    ["a port that is none", "AddEmailProviderSMTP", { ...smtp, host: "a:99999" }, "the host is no name:port"],
    [
      "a sender that is none",
      "AddEmailProviderSMTP",
      { ...smtp, senderAddress: "Gate <x@y.example>" },
      "the sender's address is no e-mail address",
    ],
    [
      "a reply address that is none",
      "AddEmailProviderSMTP",
      { ...smtp, replyToAddress: "nobody" },
      "the reply address is no e-mail address",
    ],
    [
      "a password without a user",
      "AddEmailProviderSMTP",
      { ...smtp, plain: { password: "p" } },
      "the user is missing",
    ],
    [
      "a token endpoint that is none",
      "AddEmailProviderSMTP",
      { ...smtp, user: "u", xoauth2: { tokenEndpoint: "file:///x", clientCredentials: {} } },
      "the token endpoint is no http or https URL",
    ],
    [
      "an endpoint that is none",
      "AddEmailProviderHTTP",
      { endpoint: "ftp://x" },
      "the endpoint is no http or https URL",
    ],
    [
      "an endpoint with a password in it",
      "AddSMSProviderHTTP",
      { endpoint: "https://u:p@sms.example.com" },
      "the endpoint is no http or https URL",
    ],
    [
      "no sender's number",
      "AddSMSProviderTwilio",
      { sid: "a", token: "b" },
      "the sender's number is missing",
    ],
  ])("%s is refused", async (_, method, request, text) => {
    expect(await refusal(admin()(method, request))).toEqual(invalid(text));
  });

  test.each(protocolsOn(engine))("a Verify service needs no sender's number, over %s", async (protocol) => {
    const ask = admin(protocol);
    const { id } = await ask("AddSMSProviderTwilio", {
      sid: "AC01",
      token: "t0ken",
      verifyServiceSid: "VA01",
    });
    const provider = (await stored()).SMS.find((each) => each.id === id);
    expect(provider?.config).toEqual({ sid: "AC01", senderNumber: "", verifyServiceSid: "VA01" });
    await ask("RemoveSMSProvider", { id: id! });
  });

  test.each<[string, JsonObject, string]>([
    ["AddSMSProviderHTTP", {}, "Endpoint"],
    ["AddSMSProviderHTTP", { endpoint: "x".repeat(2049) }, "Endpoint"],
    ["AddSMSProviderTwilio", { sid: "a" }, "Token"],
    ["AddEmailProviderSMTP", { ...smtp, host: "" }, "Host"],
    ["ActivateEmailProvider", { id: "" }, "Id"],
  ])("%s names the field of %o", async (method, request, field) => {
    const answer = await refusal(admin("Connect")(method, request));
    expect(answer.code).toBe(Code.InvalidArgument);
    expect(answer.message).toContain(`${method}Request.${field}: `);
  });

  test("no secret is stored in the clear, and none is shown but the signing key, once", async () => {
    const ask = admin("REST");
    const secrets = ["p4ss", "t0ken", "cl1ent-s3cret"];
    const xoauth2 = {
      tokenEndpoint: "https://login.example.com/token",
      clientCredentials: { clientId: "client", clientSecret: "cl1ent-s3cret" },
    };
    const answers = [
      await ask("AddEmailProviderSMTP", { ...smtp, user: "relay", xoauth2 }),
      ...(await Promise.all(Object.entries(additions).map(([method, { request }]) => ask(method, request)))),
    ];
    const keys = answers.flatMap(({ signingKey }) =>
      signingKey === undefined ? [] : [signingKey as string],
    );
    expect(keys).toHaveLength(2);
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const events = await house.operate((opened) => streamOf(opened, "instance", cast.instanceId));
    const everything = JSON.stringify([await stored(), events]);
    for (const secret of [...secrets, ...keys]) expect(everything).not.toContain(secret);
    for (const secret of secrets) expect(JSON.stringify(answers)).not.toContain(secret);
    expect(everything).toContain("relay");
    for (const [channel, providers] of Object.entries(await stored())) {
      for (const { id } of providers) await ask(`Remove${channel}Provider`, { id });
    }
  });

  test("messages leave by whichever is active, from the commit on", async () => {
    const ask = admin("REST");
    const users = asking(house, "user", cast.owner);
    let people = 0;
    const codeFor = async (contact: JsonObject) => {
      const name = `reader-${engine}-${++people}`;
      const human = person(name, contact);
      await users("AddHumanUser", human);
    };
    const emailTo = async (address: string) => codeFor({ email: { email: address } });
    const smsTo = async (phone: string) => codeFor({ phone: { phone, sendCode: {} } });

    const plain = { host: `127.0.0.1:${mails.port}`, tls: false, none: {} };
    const bySmtp = (await ask("AddEmailProviderSMTP", { ...smtp, ...plain })).id!;
    const byHttp = await ask("AddEmailProviderHTTP", { endpoint: `${texts.url}/mail`, description: "web" });
    await ask("ActivateEmailProvider", { id: bySmtp });
    await emailTo("first@example.com");
    expect((await mailTo(mails, "first@example.com")).headers.from).toBe("Gatehouse <no-reply@example.com>");

    await ask("ActivateEmailProvider", { id: byHttp.id! });
    await emailTo("second@example.com");
    const requests = () => texts.requests.filter(({ path }) => path === "/mail");
    const request = await expect
      .poll(() => requests()[0])
      .toBeDefined()
      .then(() => requests()[0]!);
    expect(isSigned(request, byHttp.signingKey as string)).toBe(true);
    expect(JSON.parse(request.body).contextInfo).toMatchObject({
      recipientEmailAddress: "second@example.com",
      provider: { id: byHttp.id, description: "web" },
    });

    const bySms = await ask("AddSMSProviderHTTP", { endpoint: `${texts.url}/sms` });
    await ask("ActivateSMSProvider", { id: bySms.id! });
    await smsTo("+41790000001");
    expect(isSigned((await textTo(texts, "+41790000001")).request, bySms.signingKey as string)).toBe(true);

    const byTwilio = await ask("AddSMSProviderTwilio", additions.AddSMSProviderTwilio!.request);
    await ask("ActivateSMSProvider", { id: byTwilio.id! });
    await smsTo("+41790000002");
    const toTwilio = () => texts.requests.find(({ path }) => path.startsWith("/2010-04-01/Accounts/AC01/"));
    await expect.poll(toTwilio).toBeDefined();
    const form = new URLSearchParams(toTwilio()!.body);
    expect([form.get("To"), form.get("From")]).toEqual(["+41790000002", "+15005550006"]);
    expect(form.get("Body")).toMatch(/^[A-Z0-9]{6} confirms your phone number/);

    // Without any, the request succeeds and nothing is kept for later.
    await ask("RemoveSMSProvider", { id: byTwilio.id! });
    await smsTo("+41790000003");
    await ask("ActivateSMSProvider", { id: bySms.id! });
    await smsTo("+41790000004");
    await textTo(texts, "+41790000004");
    expect(texts.requests.some(({ body }) => body.includes("41790000003"))).toBe(false);
  });
});
