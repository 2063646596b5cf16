import { sessions } from "./client.ts";
import { byId, onClick, onSubmit, showStep } from "./dom.ts";
import { useKey } from "./keys.ts";

/**
 * The login name, then a password or a passkey. Nothing is asked of the server in between: who has proven nothing is
 * not told whether there is such a login name, or what it could prove.
 * @param goOn what follows once one of them was right
 */
export function setUpSignIn(goOn: () => Promise<void>): void {
  const loginName = byId<HTMLInputElement>("login-name-field");
  const password = byId<HTMLInputElement>("password-field");
  const place = byId("first-factor");
  const user = () => ({ search: { case: "loginName" as const, value: loginName.value.trim() } });

  onSubmit(byId("login-name"), async () => {
    byId<HTMLInputElement>("who").value = loginName.value.trim();
    password.value = "";
    showStep("first-factor");
  });

  onClick(byId("someone-else"), place, async () => {
    showStep("login-name");
  });

  onSubmit(place, async () => {
    const given = password.value;
    password.value = "";
    password.focus();
    await sessions.createSession({ checks: { user: user(), password: { password: given } } });
    await goOn();
  });

  onClick(byId("use-passkey"), place, async () => {
    const { challenges } = await sessions.createSession({ checks: { user: user() } });
    const answer = await useKey(challenges?.webAuthN?.publicKeyCredentialRequestOptions);
    await sessions.setSession({ checks: { webAuthN: { credentialAssertionData: answer } } });
    await goOn();
  });
}
