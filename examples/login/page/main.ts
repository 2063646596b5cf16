import { sessions, users } from "./client.ts";
import { showStep } from "./dom.ts";
import { lacksSecondFactor } from "./factors.ts";
import { askSecondFactor, setUpSecondFactor } from "./second-factor.ts";
import { setUpSessionView, showSession } from "./session-view.ts";
import { setUpSignIn } from "./sign-in.ts";
import { isSessionOver } from "./words.ts";

/** Where the person stands is known from the session alone: what it has proven, and what is set up beside it. */
async function standing() {
  const { session } = await sessions.getSession({});
  const { authMethodTypes } = await users.listAuthenticationMethodTypes({});
  return { session: session!, methods: authMethodTypes };
}

async function goOn(): Promise<void> {
  const { session, methods } = await standing();
  if (lacksSecondFactor(session, methods)) askSecondFactor(methods);
  else showSession(session, methods);
}

setUpSignIn(goOn);
setUpSecondFactor(goOn);
setUpSessionView(
  async () => {
    const { session, methods } = await standing();
    showSession(session, methods);
  },
  async () => askSecondFactor((await standing()).methods),
);

// After a reload the session is still there, unless it has ended.
goOn().catch((reason) => {
  showStep("login-name");
  if (!isSessionOver(reason)) throw reason;
});
