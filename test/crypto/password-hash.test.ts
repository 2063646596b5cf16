import { argon2Sync } from "node:crypto";
import { hashSync } from "bcryptjs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashPassword, parsePasswordHash, verifyPassword } from "../../src/crypto/password-hash.ts";

const base64 = (hex: string) => Buffer.from(hex, "hex").toString("base64").replace(/=+$/, "");
const base64OfText = (text: string) => Buffer.from(text).toString("base64").replace(/=+$/, "");
const pbkdf2 = (kind: string, rounds: number, salt: string, hex: string) =>
  `$${kind}$${rounds}$${base64OfText(salt).replaceAll("+", ".")}$${base64(hex).replaceAll("+", ".")}`;
const scrypt = (parameters: string, salt: string, hex: string) =>
  `$scrypt$${parameters}$${base64OfText(salt)}$${base64(hex)}`;

const published: [source: string, password: string, encoded: string][] = [
  // phc-winner-argon2, src/test.c, version 0x13
  [
    "Argon2id, reference test, 64 MiB",
    "password",
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
  ],
  [
    "Argon2id, reference test, 256 KiB",
    "password",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
  ],
  [
    "Argon2i, reference test, 64 MiB",
    "password",
    "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
  ],
  // OpenBSD and crypt_blowfish
  ["bcrypt 2a, nothing", "", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."],
  ["bcrypt 2a, one letter", "a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"],
  [
    "bcrypt 2a, symbols",
    "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
    "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO",
  ],
  ["bcrypt 2a, crypt_blowfish", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
  ["bcrypt 2b", "abc", "$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"],
  ["bcrypt 2y", "abcdefghijklmnopqrstuvwxyz", "$2y$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"],
  // RFC 7914 §12
  [
    "scrypt, RFC 7914, p=16",
    "password",
    scrypt(
      "ln=10,r=8,p=16",
      "NaCl",
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    ),
  ],
  [
    "scrypt, RFC 7914, p=1",
    "pleaseletmein",
    scrypt(
      "ln=14,r=8,p=1",
      "SodiumChloride",
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    ),
  ],
  [
    "scrypt, passlib's example",
    "password",
    "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
  ],
  // RFC 6070 §2 and RFC 7914 §11
  [
    "PBKDF2-SHA1, RFC 6070, 1 round",
    "password",
    pbkdf2("pbkdf2", 1, "salt", "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
  ],
  [
    "PBKDF2-SHA1, RFC 6070, 4096 rounds",
    "password",
    pbkdf2("pbkdf2", 4096, "salt", "4b007901b765489abead49d926f721d065a429c1"),
  ],
  [
    "PBKDF2-SHA1, RFC 6070, 25 bytes",
    "passwordPASSWORDpassword",
    pbkdf2(
      "pbkdf2",
      4096,
      "saltSALTsaltSALTsaltSALTsaltSALTsalt",
      "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
    ),
  ],
  [
    "PBKDF2-SHA256, RFC 7914, 1 round",
    "passwd",
    pbkdf2(
      "pbkdf2-sha256",
      1,
      "salt",
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ),
  ],
  [
    "PBKDF2-SHA256, RFC 7914, 80,000 rounds",
    "Password",
    pbkdf2(
      "pbkdf2-sha256",
      80_000,
      "NaCl",
      "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    ),
  ],
  [
    "PBKDF2-SHA256, passlib's example",
    "password",
    "$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
  ],
  [
    "PBKDF2-SHA512, written by passlib",
    "password",
    "$pbkdf2-sha512$12$cmFuZG9tc2FsdGlzaGFyZA$e297piXvkpYxoYQAWD9zn1aKXCo3XmR91Xn9/WEGsHXU/7xaQzCV9upu4T5Jntq6AiZ6YX0diXnY7Ju5TEfUMA",
  ],
];

describe("published vectors", () => {
  test.each(published)("%s", (_source, password, encoded) => {
    expect(parsePasswordHash(encoded)).toEqual({ ok: true });
    expect(verifyPassword(password, encoded)).toEqual({ matches: true, needsRehash: true });
    expect(verifyPassword(`${password}!`, encoded)).toEqual({ matches: false, needsRehash: false });
  });

  test("the Argon2id underneath is that of RFC 9106 §5.3", () => {
    const tag = argon2Sync("argon2id", {
      message: Buffer.alloc(32, 1),
      nonce: Buffer.alloc(16, 2),
      secret: Buffer.alloc(8, 3),
      associatedData: Buffer.alloc(12, 4),
      memory: 32,
      passes: 3,
      parallelism: 4,
      tagLength: 32,
    });
    expect(tag.toString("hex")).toBe("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
  });
});

describe("today's hash", () => {
  test("carries OWASP's parameters and a salt of its own", () => {
    const [first, second] = [hashPassword("Secret-1"), hashPassword("Secret-1")];
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(first).not.toBe(second);
    expect(parsePasswordHash(first)).toEqual({ ok: true });
  });

  test.each([
    ["nothing", ""],
    ["a space at the end", "Secret-1 "],
    ["every plane of Unicode", "pässwörd 密码 🔑 \u{10FFFF}"],
    ["a NUL inside", "a\0b"],
    ["200 characters", "x".repeat(200)],
    ["100,000 characters", "é".repeat(100_000)],
  ])("matches %s and needs no rehash", (_name, password) => {
    const encoded = hashPassword(password);
    expect(verifyPassword(password, encoded)).toEqual({ matches: true, needsRehash: false });
    expect(verifyPassword(`${password}x`, encoded).matches).toBe(false);
  });

  test("composed and decomposed letters are different passwords, as in the hashes we import", () => {
    expect(verifyPassword("e\u0301", hashPassword("\u00e9")).matches).toBe(false);
  });

  test.each([
    ["another memory", { memory: 4096, passes: 2, parallelism: 1, tagLength: 32 }, 16],
    ["other passes", { memory: 19_456, passes: 3, parallelism: 1, tagLength: 32 }, 16],
    ["other lanes", { memory: 19_456, passes: 2, parallelism: 2, tagLength: 32 }, 16],
    ["a shorter hash", { memory: 19_456, passes: 2, parallelism: 1, tagLength: 16 }, 16],
    ["a shorter salt", { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }, 8],
  ])("%s needs a rehash", (_name, parameters, saltBytes) => {
    const nonce = Buffer.alloc(saltBytes, 7);
    const hash = argon2Sync("argon2id", { message: "Secret-1", nonce, ...parameters });
    const { memory, passes, parallelism } = parameters;
    const encoded = `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(nonce.toString("hex"))}$${base64(hash.toString("hex"))}`;
    expect(verifyPassword("Secret-1", encoded)).toEqual({ matches: true, needsRehash: true });
  });
});

describe("bcrypt", () => {
  test("72 bytes match; one byte more does not, although bcrypt cannot see it", () => {
    const encoded = hashSync("x".repeat(72), 4);
    expect(verifyPassword("x".repeat(72), encoded).matches).toBe(true);
    expect(verifyPassword("x".repeat(73), encoded).matches).toBe(false);
    expect(verifyPassword(`${"x".repeat(71)}é`, encoded).matches).toBe(false);
  });

  test("bytes are counted, not characters", () => {
    const password = "é".repeat(36);
    expect(verifyPassword(password, hashSync(password, 4)).matches).toBe(true);
    expect(verifyPassword(`${password}é`, hashSync(`${password}é`, 4)).matches).toBe(false);
  });

  test("padding bits some libraries leave in the last character are ignored", () => {
    const encoded = hashSync("Secret-1", 4);
    const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const padded = encoded.slice(0, -1) + alphabet[alphabet.indexOf(encoded.at(-1)!) | 1];
    expect(verifyPassword("Secret-1", padded).matches).toBe(true);
  });
});

describe("what may be imported", () => {
  const salt16 = base64(`${"07".repeat(16)}`);
  const hash32 = base64(`${"09".repeat(32)}`);
  const tail = `${salt16}$${hash32}`;
  const bcryptTail = "DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";

  test.each([
    ["argon2 at the upper bounds", `$argon2id$v=19$m=262144,t=16,p=16$${tail}`],
    ["argon2 at the lower bounds", `$argon2i$v=19$m=8,t=1,p=1$${tail}`],
    ["bcrypt, cost 4", `$2a$04$${bcryptTail}`],
    ["bcrypt, cost 16", `$2b$16$${bcryptTail}`],
    ["scrypt, ln 20", `$scrypt$ln=20,r=2,p=1$${tail}`],
    ["scrypt, 256 MiB", `$scrypt$ln=18,r=8,p=4$${tail}`],
    ["pbkdf2, 5,000,000 rounds", `$pbkdf2-sha512$5000000$${tail}`],
    ["pbkdf2-sha224", `$pbkdf2-sha224$1$${tail}`],
    ["pbkdf2-sha384", `$pbkdf2-sha384$1$${tail}`],
  ])("%s", (_name, encoded) => {
    expect(parsePasswordHash(encoded)).toEqual({ ok: true });
  });

  test.each([
    ["argon2 memory above", `$argon2id$v=19$m=262145,t=1,p=1$${tail}`],
    ["argon2 memory beyond any number", `$argon2id$v=19$m=${"9".repeat(300)},t=1,p=1$${tail}`],
    ["argon2 memory below eight blocks a lane", `$argon2id$v=19$m=15,t=1,p=2$${tail}`],
    ["argon2 passes above", `$argon2id$v=19$m=64,t=17,p=1$${tail}`],
    ["argon2 no passes", `$argon2id$v=19$m=64,t=0,p=1$${tail}`],
    ["argon2 lanes above", `$argon2id$v=19$m=1024,t=1,p=17$${tail}`],
    ["argon2 no lanes", `$argon2id$v=19$m=1024,t=1,p=0$${tail}`],
    ["argon2 short salt", `$argon2id$v=19$m=64,t=1,p=1$${base64("07".repeat(7))}$${hash32}`],
    ["a hash short enough to hit by chance", `$argon2id$v=19$m=64,t=1,p=1$${salt16}$${base64("0909")}`],
    ["an oversized hash", `$pbkdf2$1$${salt16}$${base64("09".repeat(129))}`],
    ["an oversized salt", `$pbkdf2$1$${base64("09".repeat(129))}$${hash32}`],
    ["bcrypt cost below", `$2a$03$${bcryptTail}`],
    ["bcrypt cost above", `$2a$17$${bcryptTail}`],
    ["scrypt ln above", `$scrypt$ln=21,r=1,p=1$${tail}`],
    ["scrypt memory above", `$scrypt$ln=19,r=8,p=1$${tail}`],
    ["scrypt work above", `$scrypt$ln=18,r=8,p=5$${tail}`],
    ["scrypt N too large for r", `$scrypt$ln=16,r=1,p=1$${tail}`],
    ["scrypt r above", `$scrypt$ln=1,r=33,p=1$${tail}`],
    ["scrypt p above", `$scrypt$ln=1,r=1,p=17$${tail}`],
    ["scrypt N = 1", `$scrypt$ln=0,r=8,p=1$${tail}`],
    ["pbkdf2 rounds above", `$pbkdf2-sha256$5000001$${tail}`],
    ["pbkdf2 no rounds", `$pbkdf2-sha256$0$${tail}`],
    ["pbkdf2 short salt", `$pbkdf2-sha256$1$AAAA$${hash32}`],
  ])("out of bounds: %s", (_name, encoded) => {
    expect(parsePasswordHash(encoded)).toEqual({ ok: false, reason: "out_of_bounds" });
    expect(verifyPassword("Secret-1", encoded)).toEqual({ matches: false, needsRehash: false });
  });

  test.each([
    ["argon2d", `$argon2d$v=19$m=64,t=1,p=1$${tail}`],
    ["argon2 without a version, which is 1.0", `$argon2id$m=64,t=1,p=1$${tail}`],
    ["argon2 version 1.0", `$argon2id$v=16$m=64,t=1,p=1$${tail}`],
    ["bcrypt 2x, the broken one", `$2x$06$${bcryptTail}`],
    ["sha512-crypt", "$6$rounds=5000$salt$hash"],
    ["md5-crypt", "$1$salt$hash"],
    ["pbkdf2 over MD5", `$pbkdf2-md5$1000$${tail}`],
  ])("unsupported: %s", (_name, encoded) => {
    expect(parsePasswordHash(encoded)).toEqual({ ok: false, reason: "unsupported" });
  });

  test.each([
    ["nothing", ""],
    ["a bare password", "Secret-1"],
    ["a dollar", "$"],
    ["no hash", `$argon2id$v=19$m=64,t=1,p=1$${salt16}`],
    ["parameters in another order", `$argon2id$v=19$t=1,m=64,p=1$${tail}`],
    ["a negative number", `$argon2id$v=19$m=-64,t=1,p=1$${tail}`],
    ["a line end after it", `$argon2id$v=19$m=64,t=1,p=1$${tail}\n`],
    ["padded base64", `$argon2id$v=19$m=64,t=1,p=1$${salt16}==$${hash32}`],
    ["base64 with bits nobody wrote", `$argon2id$v=19$m=64,t=1,p=1$${salt16.slice(0, -1)}x$${hash32}`],
    ["base64url", `$argon2id$v=19$m=64,t=1,p=1$${salt16}$${"-_".repeat(21)}`],
    ["bcrypt one character short", `$2a$06$${bcryptTail.slice(1)}`],
    ["an upper-case kind", `$ARGON2ID$v=19$m=64,t=1,p=1$${tail}`],
    ["a text longer than any hash", `$pbkdf2$1$${"A".repeat(100_000)}$${hash32}`],
  ])("malformed: %s", (_name, encoded) => {
    expect(parsePasswordHash(encoded)).toEqual({ ok: false, reason: "malformed" });
    expect(verifyPassword("Secret-1", encoded)).toEqual({ matches: false, needsRehash: false });
  });

  const anyText = fc.string({ unit: "binary", maxLength: 200 });
  const nearlyAHash = fc
    .tuple(
      fc.constantFrom(
        "$argon2id$v=19$",
        "$argon2i$",
        "$2a$",
        "$2b$04$",
        "$scrypt$",
        "$pbkdf2$",
        "$pbkdf2-sha256$",
      ),
      fc.constantFrom("m=64,t=1,p=1$", "ln=4,r=1,p=1$", "1000$", ""),
      fc.string({ unit: fc.constantFrom(..."./+=$AZaz09,é"), maxLength: 80 }),
    )
    .map((parts) => parts.join(""));

  test("no text makes parsing or verifying throw", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, nearlyAHash), anyText, (encoded, password) => {
        const reading = parsePasswordHash(encoded);
        const verification = verifyPassword(password, encoded);
        expect(Object.keys(reading).sort()).toEqual(reading.ok ? ["ok"] : ["ok", "reason"]);
        expect(verification).toEqual({ matches: false, needsRehash: false });
      }),
      { numRuns: 400 },
    );
  });

  test("whatever small parameters pass the bounds can be computed", () => {
    const parameters = fc.oneof(
      fc
        .record({ m: fc.nat(300), t: fc.nat(3), p: fc.nat(17) })
        .map(({ m, t, p }) => `$argon2id$v=19$m=${m},t=${t},p=${p}$${tail}`),
      fc
        .record({ ln: fc.nat(17), r: fc.nat(3), p: fc.nat(3) })
        .map(({ ln, r, p }) => `$scrypt$ln=${ln},r=${r},p=${p}$${tail}`),
      fc.nat(20).map((rounds) => `$pbkdf2-sha384$${rounds}$${tail}`),
    );
    fc.assert(
      fc.property(parameters, (encoded) => {
        expect(verifyPassword("Secret-1", encoded).matches).toBe(false);
      }),
    );
  });
});
