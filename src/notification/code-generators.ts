import type { Logger } from "pino";
import { checkVerification, type VerificationVerdict } from "../notify/twilio-verify.ts";
import type { Providers } from "./providers.ts";

/** The providers of text messages that make codes themselves, send them, and say whether one is right. */
export class CodeGenerators {
  readonly #providers: Providers;
  readonly #logger: Logger;
  readonly #baseUrl: string | undefined;

  /** @param options.baseUrl where they are; their own address by default */
  constructor({
    providers,
    logger,
    baseUrl,
  }: {
    providers: Providers;
    logger: Logger;
    baseUrl?: string | undefined;
  }) {
    this.#providers = providers;
    this.#logger = logger;
    this.#baseUrl = baseUrl;
  }

  /** The id of the provider that makes the next code; undefined: codes are made here. */
  active(): Promise<string | undefined> {
    return this.#providers.activeGenerator();
  }

  /**
   * Asks whether the code is the one it sent. Ten seconds at most; no database connection is held meanwhile.
   * @param generatorId also of one that sends no more; of a removed one everything is gone
   */
  async check(generatorId: string, verificationId: string, code: string): Promise<VerificationVerdict> {
    const service = await this.#providers.generator(generatorId);
    if (service === undefined) return { outcome: "gone" };
    const verdict = await checkVerification(service, verificationId, code, { baseUrl: this.#baseUrl });
    if (verdict.outcome === "unavailable") {
      this.#logger.warn({ providerId: generatorId, reason: verdict.reason }, "code cannot be checked");
    }
    return verdict;
  }
}
