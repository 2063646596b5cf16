import { pino } from "pino";
import { CodeGenerators } from "../../src/notification/code-generators.ts";
import { Providers } from "../../src/notification/providers.ts";
import type { SessionDependencies } from "../../src/session/dependencies.ts";
import { SessionTokens } from "../../src/session/session-token.ts";
import { SessionUses } from "../../src/session/session-uses.ts";
import type { House } from "./house.ts";

/** What session commands take, in a house. */
export function sessionRooms(house: House): SessionDependencies {
  return {
    ...house,
    codeGenerators: new CodeGenerators({
      providers: new Providers(house),
      logger: pino({ level: "silent" }),
    }),
    tokens: new SessionTokens(new Uint8Array(32)),
    uses: new SessionUses(house),
    instanceId: "instance",
    webAuthNCloneWarning: "refuse",
    writeEndings: async () => {},
    setSessionProof: "none",
  };
}
