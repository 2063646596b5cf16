import { AuthenticationMethodType as Method } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { sessions } from "./client.ts";
import { byId, element, forgetErrors, onClick, onSubmit, showStep } from "./dom.ts";
import { type SecondFactor, secondFactors } from "./factors.ts";
import { useKey } from "./keys.ts";

/** How one second factor is asked for. */
type Form = {
  name: string;
  /** What the code is called; absent where there is none to type. */
  code?: string;
  inputMode?: "numeric";
  /** Sends the code; absent where the person has it already. */
  send?: () => Promise<unknown>;
  confirm: (code: string) => Promise<unknown>;
};

const forms: Record<SecondFactor, Form> = {
  [Method.TOTP]: {
    name: "Authenticator app",
    code: "Six digits from the app",
    inputMode: "numeric",
    confirm: (code) => sessions.setSession({ checks: { totp: { code } } }),
  },
  [Method.U2F]: {
    name: "Security key",
    confirm: async () => {
      const { challenges } = await sessions.setSession({ challenges: { webAuthN: {} } });
      const answer = await useKey(challenges?.webAuthN?.publicKeyCredentialRequestOptions);
      return sessions.setSession({ checks: { webAuthN: { credentialAssertionData: answer } } });
    },
  },
  [Method.OTP_EMAIL]: {
    name: "Code by e-mail",
    code: "Code from the e-mail",
    inputMode: "numeric",
    send: () => sessions.setSession({ challenges: { otpEmail: {} } }),
    confirm: (code) => sessions.setSession({ checks: { otpEmail: { code } } }),
  },
  [Method.OTP_SMS]: {
    name: "Code by SMS",
    code: "Code from the SMS",
    inputMode: "numeric",
    send: () => sessions.setSession({ challenges: { otpSms: {} } }),
    confirm: (code) => sessions.setSession({ checks: { otpSms: { code } } }),
  },
  [Method.RECOVERY_CODE]: {
    name: "Recovery code",
    code: "One of your recovery codes",
    confirm: (code) => sessions.setSession({ checks: { recoveryCode: { code } } }),
  },
};

let chosen: Form;
let isSent = false;

/**
 * The second factor: which of those that are set up, and the proof of it.
 * @param goOn what follows once it was right
 */
export function setUpSecondFactor(goOn: () => Promise<void>): void {
  const place = byId("second-factor");
  const field = byId<HTMLInputElement>("code-field");
  onSubmit(place, async () => {
    if (chosen.send && !isSent) {
      await chosen.send();
      isSent = true;
      showForm();
      field.focus();
      return;
    }
    const code = field.value.trim();
    field.value = "";
    field.focus();
    await chosen.confirm(code);
    await goOn();
  });
  onClick(byId("give-up"), place, async () => {
    await sessions.deleteSession({});
    showStep("over");
  });
}

/** Asks for one of those that are set up. */
export function askSecondFactor(methods: readonly Method[]): void {
  const offered = secondFactors.filter((factor) => methods.includes(factor)).map((factor) => forms[factor]);
  byId("second-factors").replaceChildren(
    ...offered.map((form, index) => {
      const radio = element("input", { type: "radio", name: "second-factor", checked: index === 0 });
      radio.addEventListener("change", () => choose(form));
      return element("label", { className: "choice" }, radio, form.name);
    }),
  );
  choose(offered[0]!);
  showStep("second-factor");
  if (!byId("code").hidden) byId("code-field").focus();
}

function choose(form: Form): void {
  chosen = form;
  isSent = false;
  forgetErrors(byId("second-factor"));
  showForm();
}

/** The form as it is now: before a code is sent there is none to type. */
function showForm(): void {
  const { code, inputMode = "text", send } = chosen;
  const asksCode = code !== undefined && (send === undefined || isSent);
  const field = byId<HTMLInputElement>("code-field");
  field.value = "";
  field.required = asksCode;
  field.inputMode = inputMode;
  byId("code").hidden = !asksCode;
  byId("code").querySelector("label")!.textContent = code ?? "";
  byId("second-factor-hint").textContent = isSent ? "The code is on its way." : "";
  const button = byId("second-factor").querySelector("form button.primary")!;
  button.textContent = asksCode ? "Confirm" : send ? "Send a code" : "Use the security key";
}
