import type { JsonObject } from "@bufbuild/protobuf";
import { AuthenticationMethodType as Method } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { users } from "./client.ts";
import { element, onClick, onSubmit } from "./dom.ts";
import { makeKey } from "./keys.ts";

/** Something a person can set up, to sign in with next time. */
export type Enrolment = {
  method: Method;
  name: string;
  meaning: string;
  /** What the button says; empty where there is nothing more to do once it is set up. */
  action: (isSetUp: boolean) => string;
  /**
   * @param panel where it may ask or show something, below its entry in the list
   * @param done  to be called when something is set up
   */
  enrol: (panel: HTMLElement, done: () => Promise<void>) => Promise<void>;
};

const once = (isSetUp: boolean) => (isSetUp ? "" : "Set up");
const oneMore = (isSetUp: boolean) => (isSetUp ? "Add another" : "Set up");

export const enrolments: readonly Enrolment[] = [
  {
    method: Method.PASSKEY,
    name: "Passkey",
    meaning: "Instead of the password. The device makes sure that it is you.",
    action: oneMore,
    enrol: async (_, done) => {
      const registered = await users.registerPasskey({});
      const publicKeyCredential: JsonObject = await makeKey(registered.publicKeyCredentialCreationOptions);
      const { passkeyId } = registered;
      await users.verifyPasskeyRegistration({ passkeyId, publicKeyCredential, passkeyName: nameOfKey() });
      await done();
    },
  },
  {
    method: Method.TOTP,
    name: "Authenticator app",
    meaning: "After the password: six digits that change every half minute.",
    action: once,
    enrol: setUpApp,
  },
  {
    method: Method.U2F,
    name: "Security key",
    meaning: "After the password: a touch on a key that you carry.",
    action: oneMore,
    enrol: async (_, done) => {
      const registered = await users.registerU2F({});
      const publicKeyCredential: JsonObject = await makeKey(registered.publicKeyCredentialCreationOptions);
      await users.verifyU2FRegistration({
        u2fId: registered.u2fId,
        publicKeyCredential,
        tokenName: nameOfKey(),
      });
      await done();
    },
  },
  {
    method: Method.OTP_EMAIL,
    name: "Code by e-mail",
    meaning: "After the password: a code sent to your address.",
    action: once,
    enrol: async (_, done) => {
      await users.addOTPEmail({});
      await done();
    },
  },
  {
    method: Method.OTP_SMS,
    name: "Code by SMS",
    meaning: "After the password: a code sent to your phone.",
    action: once,
    enrol: async (_, done) => {
      await users.addOTPSMS({});
      await done();
    },
  },
  {
    method: Method.RECOVERY_CODE,
    name: "Recovery codes",
    meaning: "In place of a second factor that is lost. Each works once.",
    action: (isSetUp) => (isSetUp ? "Replace" : "Set up"),
    enrol: showRecoveryCodes,
  },
];

/** The secret is shown until a first code proves that the app has it. */
async function setUpApp(panel: HTMLElement, done: () => Promise<void>): Promise<void> {
  const { secret, uri } = await users.registerTOTP({});
  const code = element("input", {
    id: "app-code",
    autocomplete: "one-time-code",
    inputMode: "numeric",
    required: true,
  });
  const form = element(
    "form",
    {},
    element("p", {}, "Enter this secret into the app, or open the address on the device that has it:"),
    element(
      "dl",
      { className: "secret" },
      element("dt", {}, "Secret"),
      element("dd", {}, element("code", {}, secret)),
      element("dt", {}, "Address"),
      element("dd", {}, element("code", {}, uri)),
    ),
    element("label", { htmlFor: code.id }, "Six digits from the app"),
    element("div", { className: "line" }, code, element("button", { className: "primary" }, "Confirm")),
  );
  panel.replaceChildren(form);
  onSubmit(panel.parentElement!, async () => {
    const given = code.value.trim();
    code.value = "";
    code.focus();
    await users.verifyTOTPRegistration({ code: given });
    await done();
  });
  code.focus();
}

/** They are shown once, and stay until the person has put them somewhere. */
async function showRecoveryCodes(panel: HTMLElement, done: () => Promise<void>): Promise<void> {
  const { recoveryCodes } = await users.generateRecoveryCodes({});
  const noted = element("button", { type: "button" }, "I have noted them");
  onClick(noted, panel.parentElement!, done);
  panel.replaceChildren(
    element("p", {}, "Keep these somewhere safe. They are shown this once."),
    element(
      "ul",
      { className: "codes" },
      ...recoveryCodes.map((code) => element("li", {}, element("code", {}, code))),
    ),
    noted,
  );
  noted.focus();
}

const nameOfKey = () => `Made on ${new Date().toLocaleDateString()}`;
