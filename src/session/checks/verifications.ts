import type { VerificationVerdict } from "../../notify/twilio-verify.ts";
import { askOnce } from "../../user/ask-once.ts";
import { type PasswordVerification, verifyOnce } from "../../user/password-check.ts";
import type { SessionDependencies } from "../dependencies.ts";

/** Asks the provider that made a code. */
export type CodeVerification = (
  generatorId: string,
  verificationId: string,
  code: string,
) => Promise<VerificationVerdict>;

/** What takes long or can be asked once: done once per command, however often the command is decided again. */
export type Verifications = { password: PasswordVerification; generatedCode: CodeVerification };

export const verificationsOf = ({
  passwords,
  codeGenerators,
}: Pick<SessionDependencies, "passwords" | "codeGenerators">): Verifications => ({
  password: verifyOnce({ passwords }),
  // One command tries one code, so the verification alone tells its questions apart.
  generatedCode: askOnce(
    (_generatorId: string, verificationId: string, _code: string) => verificationId,
    (generatorId, verificationId, code) => codeGenerators.check(generatorId, verificationId, code),
  ),
});
