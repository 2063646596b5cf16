import type { JsonObject } from "@bufbuild/protobuf";
import { until } from "../../crash/poll.ts";
import type { HttpReceiver, ReceivedRequest } from "../../notify/http-receiver.ts";
import type { MailServer, ReceivedMail } from "../../notify/mail-server.ts";
import { asking } from "../settings/wire.ts";

type House = { readonly url: string };
type Caller = { token: string };

/** Has the house send its mails to this server from now on. @returns the provider's id */
export async function mailsGoTo(house: House, owner: Caller, { port }: { port: number }): Promise<string> {
  const ask = asking(house, "admin", owner);
  const { id } = await ask("AddEmailProviderSMTP", {
    senderAddress: "no-reply@example.com",
    senderName: "Gatehouse",
    host: `127.0.0.1:${port}`,
    none: {},
  });
  await ask("ActivateEmailProvider", { id: id! });
  return id as string;
}

/** Has the house post its text messages to this receiver from now on. */
export async function textsGoTo(
  house: House,
  owner: Caller,
  { url }: { url: string },
): Promise<{ id: string; signingKey: string }> {
  // By REST, since the generated client is older than the signing key.
  const ask = asking(house, "admin", owner, "REST");
  const added = await ask("AddSMSProviderHTTP", { endpoint: `${url}/sms`, description: "texts" });
  await ask("ActivateSMSProvider", { id: added.id! });
  return added as { id: string; signingKey: string };
}

/** The first mail to this address that is not one of those already seen. */
export function mailTo(
  server: MailServer,
  address: string,
  seen: readonly ReceivedMail[] = [],
): Promise<ReceivedMail> {
  return until(`a mail to ${address}`, () =>
    server.mails.find((mail) => mail.to.includes(address) && !seen.includes(mail)),
  );
}

/** The first text message to this number that is not one of those already seen. */
export async function textTo(
  receiver: HttpReceiver,
  number: string,
  seen: readonly ReceivedRequest[] = [],
): Promise<{ request: ReceivedRequest; message: JsonObject; text: string; code: string }> {
  const request = await until(`a text message to ${number}`, () =>
    receiver.requests.find(
      (each) => each.body.includes(`"recipientPhoneNumber":"${number}"`) && !seen.includes(each),
    ),
  );
  const message = JSON.parse(request.body);
  return { request, message, text: message.templateData.text, code: message.args.code };
}

/** The code in a mail: what stands before the first full stop after "is". */
export const codeIn = ({ text }: { text: string }): string => /\bis ([A-Za-z0-9]{6,12})[.,]/.exec(text)![1]!;

/** The link in a mail. */
export const linkIn = ({ text }: { text: string }): string => /^https?:\/\/\S+$/m.exec(text)![0];
