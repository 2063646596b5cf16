import type { CustomFetch, CustomFetchOptions } from "openid-client";
import { isAllowedUrl } from "./allowed-url.ts";
import { ProviderFailure } from "./provider-failure.ts";

/** More than any discovery document, key set or profile; a provider that sends more is not read to the end. */
const MAX_BYTES = 512 * 1024;

export type BoundedFetchOptions = {
  allowInsecure: boolean;
  /** Ends whatever is under way, the body's reading included. */
  deadline: AbortSignal;
};

/**
 * `fetch` for everything that goes to a provider: only to allowed addresses, never past the deadline, never more than
 * {@link MAX_BYTES}. Redirects are not followed, so no other address is reached either.
 * @throws ProviderFailure for an address that is not allowed, an answer that is too long, or a status of 500 and more
 */
export function boundedFetch({ allowInsecure, deadline }: BoundedFetchOptions): CustomFetch {
  return async (url: string, options: CustomFetchOptions) => {
    if (!isAllowedUrl(url, allowInsecure)) {
      throw new ProviderFailure("server_error", "the identity provider names an address that is not allowed");
    }
    const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
    const response = await fetch(url, { ...options, redirect: "manual", signal } as RequestInit);
    const { status, statusText, headers } = response;
    if (status >= 500)
      throw new ProviderFailure("temporarily_unavailable", "the identity provider has failed");
    const body = await readBounded(response);
    // A status that goes without a body refuses even an empty one.
    return new Response(body.length === 0 ? null : body, { status, statusText, headers });
  };
}

async function readBounded(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop cancels the stream, and with it the connection.
    if (length > MAX_BYTES)
      throw new ProviderFailure("server_error", "the identity provider's answer is too long");
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
