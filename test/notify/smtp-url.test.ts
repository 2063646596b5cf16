import { expect, test } from "vitest";
import { readHost } from "../../src/notify/smtp.ts";
import { readSender, readSmtpUrl } from "../../src/notify/smtp-url.ts";

test.each([
  ["smtp://mail.example.com", { host: "mail.example.com", tls: false, auth: { type: "none" } }],
  ["smtps://mail.example.com:465/", { host: "mail.example.com:465", tls: true, auth: { type: "none" } }],
  [
    "smtp://us%40example.com:p%3Ass@mail.example.com:587",
    {
      host: "mail.example.com:587",
      tls: false,
      auth: { type: "plain", user: "us@example.com", password: "p:ss" },
    },
  ],
  ["smtp://[::1]:1025", { host: "[::1]:1025", tls: false, auth: { type: "none" } }],
])("%s", (url, provider) => {
  expect(readSmtpUrl(url)).toEqual(provider);
});

test.each([
  "",
  "mail.example.com:587",
  "http://mail.example.com",
  "smtp://",
  "smtp://user@mail.example.com",
  "smtp://:password@mail.example.com",
  "smtp://us%er:password@mail.example.com",
  "smtp://mail.example.com/path",
  "smtp://mail.example.com?tls=no",
  "smtp://mail.example.com:99999",
])("%j is no mail server", (url) => {
  expect(readSmtpUrl(url)).toBeUndefined();
});

test.each([
  ["no-reply@example.com", { senderName: "", senderAddress: "no-reply@example.com" }],
  ["<no-reply@example.com>", { senderName: "", senderAddress: "no-reply@example.com" }],
  [
    ' "Gate, house"  <no-reply@example.com> ',
    { senderName: "Gate, house", senderAddress: "no-reply@example.com" },
  ],
  ["Gatehouse", undefined],
  ["Gatehouse no-reply@example.com", undefined],
  ["a@b <no-reply@example.com> x", undefined],
  ["Gate\r\nBcc: x@y.example <no-reply@example.com>", undefined],
  ["", undefined],
])("%j as the sender", (text, expected) => {
  expect(readSender(text)).toEqual(expected);
});

test.each([
  ["mail.example.com:587", { name: "mail.example.com", port: 587 }],
  ["mail.example.com", { name: "mail.example.com", port: undefined }],
  ["127.0.0.1:25", { name: "127.0.0.1", port: 25 }],
  ["[::1]:25", { name: "::1", port: 25 }],
  ["[::1]", { name: "::1", port: undefined }],
])("the host %s", (text, host) => {
  expect(readHost(text)).toEqual(host);
});
