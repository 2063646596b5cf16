import { randomBytes, randomInt } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { wrong } from "../checks/desk.ts";
import { tokenOf } from "./codes.ts";
import type { Caller, Stage } from "./stage.ts";

/** The token the receiver gives out for mail servers. */
const tokenPath = "/token";

type Providers = Record<"smtp" | "byToken" | "webhook" | "mailWebhook" | "twilio" | "twilioVerify", string>;

/**
 * Mail servers and text message services with what opens them: passwords, tokens, client secrets, signing keys. The
 * plain mail server and the webhook are active afterwards.
 */
export async function configureDelivery(stage: Stage): Promise<Providers> {
  const { cast, refused, guess, secret, receiver, mails } = stage;
  const accessToken = secret("a token for the mail server", `mail-${randomBytes(12).toString("hex")}`);
  const password = secret("the mail server's password", `mail-${randomBytes(12).toString("hex")}`);
  stage.letsIn = (login) => login.password === password || login.accessToken === accessToken;
  stage.reply = ({ path }) => ({
    status: 200,
    body: path === tokenPath ? JSON.stringify({ access_token: accessToken, expires_in: 600 }) : "{}",
  });
  // By REST, since the generated client is older than signing keys.
  const add = async (method: string, request: JsonObject) => {
    const { id, signingKey } = await stage.ask("admin", cast.owner, method, request, "REST");
    if (signingKey !== undefined) secret("a signing key", signingKey as string);
    return id as string;
  };
  const server = {
    senderAddress: "no-reply@example.com",
    senderName: "Gatehouse",
    host: `127.0.0.1:${mails.port}`,
    user: "relay",
  };
  const xoauth2 = {
    tokenEndpoint: receiver.url + tokenPath,
    clientCredentials: { clientId: "relay", clientSecret: guess("client secret") },
  };
  const account = { sid: "AC01", token: secret("Twilio's token", `tw-${randomBytes(9).toString("hex")}`) };
  const badly = { ...server, host: "no host", plain: { password: guess("mail password") } };
  await refused("admin", cast.owner, "AddEmailProviderSMTP", badly);
  const inEndpoint = { endpoint: `https://user:${guess("password")}@sms.example.com` };
  await refused("admin", cast.owner, "AddSMSProviderHTTP", inEndpoint);
  await refused("admin", cast.owner, "AddSMSProviderTwilio", account);
  await refused("admin", cast.nobody, "AddSMSProviderTwilio", { ...account, senderNumber: "+15005550006" });
  const providers = {
    smtp: await add("AddEmailProviderSMTP", { ...server, plain: { password } }),
    byToken: await add("AddEmailProviderSMTP", { ...server, xoauth2 }),
    mailWebhook: await add("AddEmailProviderHTTP", { endpoint: `${receiver.url}/mail` }),
    webhook: await add("AddSMSProviderHTTP", { endpoint: `${receiver.url}/sms` }),
    twilio: await add("AddSMSProviderTwilio", { ...account, senderNumber: "+15005550006" }),
    twilioVerify: await add("AddSMSProviderTwilio", { ...account, verifyServiceSid: "VA01" }),
  };
  await activate(stage, "Email", providers.smtp);
  await activate(stage, "SMS", providers.webhook);
  return providers;
}

export const activate = ({ ask, cast }: Stage, channel: "Email" | "SMS", id: string): Promise<JsonObject> =>
  ask("admin", cast.owner, `Activate${channel}Provider`, { id });

/** Every provider in turn, and each of them in a bad mood: it repeats what it was sent, and who sent it. */
export async function walkDelivery(stage: Stage, providers: Providers): Promise<void> {
  const { cast, ask, mailOptions } = stage;
  const { userId, email, phone } = await stage.newPerson();
  const mail = () => ask("user", cast.owner, "PasswordReset", { userId });
  const sendLink = { notificationType: "NOTIFICATION_TYPE_SMS" };
  const text = () => ask("user", cast.owner, "PasswordReset", { userId, sendLink });
  const reply = stage.reply!;
  const echo: Stage["reply"] = ({ headers, body }) => ({
    status: 400,
    body: JSON.stringify({ code: 21_211, message: `${headers.authorization} ${body}` }),
  });
  const answeredBy = async (answer: Stage["reply"], act: () => Promise<unknown>) => {
    stage.reply = answer;
    await stage.reported("failed", act);
    stage.reply = reply;
  };

  await activate(stage, "Email", providers.byToken);
  await stage.mailed(email, mail);
  await activate(stage, "SMS", providers.twilio);
  await stage.texted(phone, text);
  await answeredBy(echo, () => stage.texted(phone, text));
  await activate(stage, "SMS", providers.webhook);
  await answeredBy(echo, () => stage.texted(phone, text));
  await activate(stage, "Email", providers.mailWebhook);
  await answeredBy(echo, mail);

  await activate(stage, "Email", providers.smtp);
  mailOptions.refuse = { at: "DATA", code: 550, text: "5.7.1 no" };
  await stage.reported("failed", mail);
  delete mailOptions.refuse;
  const { letsIn } = stage;
  stage.letsIn = () => false;
  await stage.reported("deferred", mail);
  stage.letsIn = letsIn;
  await activate(stage, "SMS", providers.twilioVerify);
  await walkTwilioVerify(stage, userId);
  await activate(stage, "SMS", providers.webhook);
}

/** Codes that Twilio makes, sends and judges. */
async function walkTwilioVerify(stage: Stage, userId: string): Promise<void> {
  const { cast, ask, refused, guess, secret } = stage;
  await ask("user", cast.owner, "AddOTPSMS", { userId });
  const code = secret("a code of Twilio's", String(randomInt(10_000_000, 99_999_999)));
  const started = { status: 201, body: JSON.stringify({ sid: "VE01", status: "pending" }) };
  const judged = ({ body }: { body: string }) => {
    const status = new URLSearchParams(body).get("Code") === code ? "approved" : "pending";
    return { status: 200, body: JSON.stringify({ status }) };
  };
  const reply = stage.reply;
  stage.reply = (request) => (request.path.endsWith("/VerificationCheck") ? judged(request) : started);
  let sessionId = "";
  await stage.reported("sent", async () => {
    const checks = { user: { userId } };
    const request = { checks, challenges: { otpSms: {} } };
    ({ sessionId } = tokenOf(stage, await ask("session", cast.loginClient, "CreateSession", request)));
  });
  const check = (typed: string): [Caller, string, JsonObject] => [
    cast.loginClient,
    "SetSession",
    { sessionId, checks: { otpSms: { code: typed } } },
  ];
  for (const typed of [guess("one-time code"), secret("a code of Twilio's almost right", wrong(code))])
    await refused("session", ...check(typed));
  const { reply: judge } = stage;
  stage.reply = ({ body }) => ({ status: 503, body });
  await refused("session", ...check(code));
  stage.reply = judge;
  tokenOf(stage, await ask("session", ...check(code)));
  stage.reply = reply;
}
