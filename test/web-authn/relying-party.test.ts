import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isOriginOf, isRelyingPartyId } from "../../src/web-authn/relying-party.ts";

describe("a relying party id", () => {
  test.each([
    "localhost",
    "app.localhost",
    "example.com",
    "login.eu-1.example.com",
    "intranet",
    "xn--bcher-kva.example",
    "my_service.internal",
    "1st.example",
    "example.0a",
    `${"a".repeat(63)}.example`,
  ])("may be the domain %s", (text) => {
    expect(isRelyingPartyId(text)).toBe(true);
  });

  test.each([
    ["nothing", ""],
    ["a scheme", "https://example.com"],
    ["a port", "example.com:443"],
    ["a path", "example.com/login"],
    ["a user", "me@example.com"],
    ["a dot at the end", "example.com."],
    ["a dot at the beginning", ".example.com"],
    ["an empty label", "example..com"],
    ["upper case", "Example.com"],
    ["a space", "example .com"],
    ["letters beyond ASCII", "bücher.example"],
    ["a hyphen at the edge", "-a.example"],
    ["an asterisk", "*.example.com"],
    ["IPv4", "127.0.0.1"],
    ["short IPv4", "127.1"],
    ["IPv4 as one number", "2130706433"],
    ["hexadecimal IPv4", "0x7f000001"],
    ["an IPv4 that ends in hexadecimal", "127.0.0.0x1"],
    ["IPv6", "[::1]"],
    ["bare IPv6", "::1"],
    ["a label of 64", `${"a".repeat(64)}.example`],
    ["more than 253 characters", `${"a.".repeat(127)}ab`],
  ])("cannot be what has %s", (_, text) => {
    expect(isRelyingPartyId(text)).toBe(false);
  });

  test("is always what a browser takes for the host of an origin", () => {
    const labels = fc.array(fc.stringMatching(/^[a-zA-Z0-9x._:@/-]{0,8}$/), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(labels, (parts) => {
        const text = parts.join(".");
        fc.pre(isRelyingPartyId(text));
        const url = new URL(`https://${text}`);
        expect(url.hostname).toBe(text);
        expect(isOriginOf(text, url.origin)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("an origin speaks for a relying party", () => {
  test.each([
    ["example.com", "https://example.com"],
    ["example.com", "https://login.example.com"],
    ["example.com", "https://a.b.example.com:8443"],
    ["localhost", "http://localhost"],
    ["localhost", "http://localhost:8080"],
    ["localhost", "https://localhost:8443"],
    ["localhost", "http://app.localhost:5173"],
    ["app.localhost", "http://app.localhost"],
  ])("%s: %s", (rpId, origin) => {
    expect(isOriginOf(rpId, origin)).toBe(true);
  });

  test.each([
    ["example.com", "http://example.com"],
    ["example.com", "http://login.example.com"],
    ["example.com", "https://example.com.evil.test"],
    ["example.com", "https://evilexample.com"],
    ["example.com", "https://com"],
    ["login.example.com", "https://example.com"],
    ["login.example.com", "https://other.example.com"],
    ["example.com", "http://localhost"],
    ["localhost", "http://127.0.0.1"],
    ["localhost", "http://localhost.example.com"],
    ["localhost", "http://evillocalhost"],
    ["app.localhost", "http://localhost"],
    ["example.com", "https://example.com/"],
    ["example.com", "https://example.com/path"],
    ["example.com", "https://user@example.com"],
    ["example.com", "https://EXAMPLE.com"],
    ["example.com", "https://example.com:443"],
    ["example.com", "ftp://example.com"],
    ["example.com", "android:apk-key-hash:abc"],
    ["example.com", "example.com"],
    ["example.com", "null"],
    ["example.com", ""],
  ])("%s: not %s", (rpId, origin) => {
    expect(isOriginOf(rpId, origin)).toBe(false);
  });
});
