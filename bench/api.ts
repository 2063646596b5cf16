import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { openHttp1 } from "./http-clients.ts";
import type { Request } from "./wire.ts";

/** Where calls go, and as whom. */
export type Target = { origin: string; bearer: string };

/** Any call of the contract, over Connect with binary messages. */
export type Api = {
  /** @throws Refusal if the server says no; Error if it says nothing */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    message: MessageInitShape<I>,
    bearer?: string,
  ): Promise<MessageShape<O>>;
  close(): void;
};

/** An answer that is no success. */
export class Refusal extends Error {
  /** Connect's name of it: `not_found`. */
  readonly code: string;

  constructor(method: string, code: string, message: string) {
    super(`${method}: ${code}: ${message}`);
    this.code = code;
  }
}

/** @param callers connections at most */
export function openApi({ origin, bearer }: Target, callers = 1): Api {
  const client = openHttp1(origin, callers);
  return {
    async call(method, message, as = bearer) {
      const answer = await client.send(encodeApiCall(method, message, as), 0);
      if (answer.status !== 200) {
        const text = Buffer.from(answer.body).toString();
        const { code = `HTTP ${answer.status}`, message: why = text } = parsed(text);
        throw new Refusal(method.name, code, why);
      }
      return fromBinary(method.output, answer.body);
    },
    close: () => client.close(),
  };
}

/** A call as {@link openApi} puts it on the wire. */
export function encodeApiCall<I extends DescMessage>(
  method: DescMethodUnary<I, DescMessage>,
  message: MessageInitShape<I>,
  bearer: string,
): Request {
  const body = toBinary(method.input, create(method.input, message));
  return {
    method: "POST",
    path: `/${method.parent.typeName}/${method.name}`,
    headers: {
      authorization: `Bearer ${bearer}`,
      "content-type": "application/proto",
      "content-length": String(body.length),
      "connect-protocol-version": "1",
    },
    body,
  };
}

function parsed(text: string): { code?: string; message?: string } {
  try {
    return JSON.parse(text) as { code?: string; message?: string };
  } catch {
    return {};
  }
}
