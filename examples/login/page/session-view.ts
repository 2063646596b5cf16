import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Session } from "../../../src/gen/zitadel/session/v2/session_pb.js";
import type { AuthenticationMethodType as Method } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { sessions } from "./client.ts";
import { byId, element, onClick, showStep } from "./dom.ts";
import { enrolments } from "./enrolments.ts";
import { isMultiFactor, lacksSecondFactor, provenFactors } from "./factors.ts";

/**
 * The session: who, what was proven and when, what else could be set up, and the way out.
 * @param refresh          reads the session anew and shows it
 * @param askSecondFactor  goes back to the step of that name
 */
export function setUpSessionView(refresh: () => Promise<void>, askSecondFactor: () => Promise<void>): void {
  const view = byId("session");
  refreshView = refresh;
  onClick(byId("confirm-second"), view, askSecondFactor);
  onClick(byId("sign-out"), view, async () => {
    await sessions.deleteSession({});
    showStep("over");
  });
  onClick(byId("again"), byId("over"), async () => {
    byId<HTMLInputElement>("login-name-field").value = "";
    showStep("login-name");
  });
}

let refreshView: () => Promise<void>;

export function showSession(session: Session, methods: readonly Method[]): void {
  const { displayName, loginName } = session.factors!.user!;
  const view = byId("session");
  view.querySelector("h1")!.textContent = displayName;
  byId("person-login-name").textContent = loginName;
  byId("factors").replaceChildren(
    ...provenFactors(session).map(({ name, at, note }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        element("td", {}, timeOf(at)),
        element("td", {}, note),
      ),
    ),
  );
  byId("facts").replaceChildren(...facts(session));
  byId("multi-factor").hidden = !isMultiFactor(session);
  const isLimited = lacksSecondFactor(session, methods);
  byId("one-factor-only").hidden = !isLimited;
  byId("methods").replaceChildren(
    ...enrolments.map(({ method, name, meaning, action, enrol }) => {
      const isSetUp = methods.includes(method);
      const panel = element("div", { className: "panel" });
      const entry = element("li");
      const button = element("button", { type: "button", disabled: isLimited }, action(isSetUp));
      button.ariaLabel = `${action(isSetUp)}: ${name}`;
      onClick(button, entry, () => enrol(panel, refreshView));
      entry.append(
        element("div", {}, element("h3", {}, name), element("p", { className: "hint" }, meaning)),
        isSetUp ? element("span", { className: "badge" }, "ready") : "",
        isSetUp && !action(true) ? "" : button,
        panel,
        element("p", { className: "error", role: "alert" }),
      );
      return entry;
    }),
  );
  if (view.hidden) showStep("session");
}

function facts({ id, creationDate, changeDate, expirationDate }: Session): HTMLElement[] {
  const times = { Opened: creationDate, "Last changed": changeDate, "Runs out": expirationDate };
  return [
    ...Object.entries(times).flatMap(([name, time]) =>
      time ? [element("dt", {}, name), element("dd", {}, timeOf(timestampDate(time)))] : [],
    ),
    element("dt", {}, "Session id"),
    element("dd", {}, element("code", {}, id)),
  ];
}

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const timeOf = (at: Date) => element("time", { dateTime: at.toISOString() }, format.format(at));
