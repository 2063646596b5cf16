import { Secret, TOTP, URI } from "otpauth";
import { describe, expect, it } from "vitest";
import { importedTotpSecret, matchingStep, newTotpSecret, totpUri } from "../../src/user/totp-code.ts";
import { hotpCodes, hotpSecret } from "../vectors/rfc4226.ts";
import { totpCodes, totpSecret } from "../vectors/rfc6238.ts";

const STEP_MS = 30_000;
const atStep = (step: number, intoIt = 0) => new Date(step * STEP_MS + intoIt);

describe("a TOTP code", () => {
  it.each(totpCodes)("is the one RFC 6238 prints for second %i, step %i", (seconds, step, code) => {
    expect(matchingStep(totpSecret, code.slice(-6), new Date(seconds * 1_000), null)).toBe(step);
  });

  it.each(hotpCodes.map((code, counter) => [counter, code] as const))(
    "is the one RFC 4226 prints for counter %i",
    (counter, code) => {
      expect(matchingStep(hotpSecret, code, atStep(counter), null)).toBe(counter);
    },
  );

  it.each([
    // step of the code, moment of the check, accepted
    [5, atStep(4), true],
    [5, atStep(4, -1), false],
    [5, atStep(5), true],
    [5, atStep(5, STEP_MS - 1), true],
    [5, atStep(6, STEP_MS - 1), true],
    [5, atStep(7), false],
    [0, atStep(0), true],
    [0, atStep(1), true],
    [0, atStep(2), false],
  ])("of step %i counts one step either way, to the millisecond: at %s %s", (step, at, accepted) => {
    expect(matchingStep(hotpSecret, hotpCodes[step]!, at, null)).toBe(accepted ? step : undefined);
  });

  it.each([
    [null, 5],
    [3, 5],
    [4, 5],
    [5, undefined],
    [6, undefined],
  ])("of step 5 after one of step %s was accepted: matches %s", (lastStep, step) => {
    expect(matchingStep(hotpSecret, hotpCodes[5]!, atStep(5), lastStep)).toBe(step);
  });

  it.each([
    "",
    "000000",
    "25467",
    "2546760",
    "25467 6",
    "-25467",
    "25467a",
    "٢٥٤٦٧٦",
    "２５４６７６",
    "254676\u0000",
  ])("is not %j", (code) => {
    expect(matchingStep(hotpSecret, code, atStep(5), null)).toBeUndefined();
  });

  it("may have blanks around it", () => {
    expect(matchingStep(hotpSecret, ` ${hotpCodes[5]}\n`, atStep(5), null)).toBe(5);
  });
});

describe("a new secret", () => {
  it("is 20 bytes, 32 characters of base32, and never the same", () => {
    const secrets = Array.from({ length: 50 }, newTotpSecret);
    for (const secret of secrets) {
      expect(secret).toMatch(/^[A-Z2-7]{32}$/);
      expect(Secret.fromBase32(secret).bytes).toHaveLength(20);
    }
    expect(new Set(secrets).size).toBe(50);
  });
});

describe("a secret from elsewhere", () => {
  it.each([
    ["JBSWY3DPEHPK3PXP", "JBSWY3DPEHPK3PXP"],
    ["jbsw y3dp ehpk 3pxp", "JBSWY3DPEHPK3PXP"],
    ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
    ["GEZDGNBVGY3TQOJQGEZDGNBVGY======", "GEZDGNBVGY3TQOJQGEZDGNBVGY"],
    ["A".repeat(200), "A".repeat(200)],
  ])("%s is taken as %s", (text, secret) => {
    expect(importedTotpSecret(text)).toBe(secret);
  });

  it.each([
    ["empty", ""],
    ["blank", "   "],
    ["nothing but padding", "===="],
    ["nine bytes", "GEZDGNBVGY3TQOI"],
    ["with a character base32 does not have", "JBSWY3DPEHPK3PX1"],
    ["hexadecimal", "3132333435363738393031323334353637383930"],
    ["padded in the middle", "JBSWY3DP====EHPK3PXP"],
    ["one symbol short of a byte", "JBSWY3DPEHPK3PXPA"],
    ["three symbols into a group", "JBSWY3DPEHPK3PXPAAA"],
    ["with a letter that only looks like one", "JBSWY3DPEHPK3PXР"],
    ["with a letter that becomes two in capitals", "JBSWY3DPEHPK3PXPAAAß"],
    ["with a letter that becomes another in capitals", "JBSWY3DPEHPK3PXſ"],
  ])("%s is refused", (_, text) => {
    expect(importedTotpSecret(text)).toBeUndefined();
  });
});

describe("the URI", () => {
  it("names its parameters in alphabetical order", () => {
    expect(totpUri("Gatehouse", "mia@acme.localhost", totpSecret)).toBe(
      `otpauth://totp/Gatehouse:mia%40acme.localhost?algorithm=SHA1&digits=6&issuer=Gatehouse&period=30&secret=${totpSecret}`,
    );
  });

  it.each([
    ["Gatehouse", "mia@acme.localhost"],
    ["Acme & Söhne = 1", "mia+tag@acme.localhost"],
    ["50 % #1?", "a:b/c?d&e=f g"],
    ["日本", "ミア"],
  ])("of %s and %s is read by an app as it was meant", (issuer, account) => {
    const app = URI.parse(totpUri(issuer, account, totpSecret));
    expect(app).toBeInstanceOf(TOTP);
    expect(app).toMatchObject({ issuer, label: account, algorithm: "SHA1", digits: 6, period: 30 });
    const at = new Date(59_000);
    const code = (app as TOTP).generate({ timestamp: at.getTime() });
    expect(matchingStep(totpSecret, code, at, null)).toBe(1);
  });

  it("holds what no URI can hold as the replacement character", () => {
    expect(totpUri("Gatehouse", "half\ud800", totpSecret)).toContain("Gatehouse:half%EF%BF%BD?");
  });
});
