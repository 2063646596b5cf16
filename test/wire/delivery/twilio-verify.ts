import {
  type HttpReceiver,
  openReceiver,
  type ReceivedRequest,
  type Reply,
} from "../../notify/http-receiver.ts";

/** A Verify service as Twilio plays it: one open verification for each number, each approved once. */
export type VerifyService = HttpReceiver & {
  /** Whether it answers at all. */
  isUp: boolean;
  /** What to do before a code is sent. */
  beforeSending: () => Promise<void>;
  /** What to do before a question is answered. */
  beforeAnswering: () => Promise<void>;
  /** The code on its way to a number. */
  codeFor(number: string): string | undefined;
  /** The verification that code belongs to. */
  idFor(number: string): string | undefined;
  /** As if ten minutes had passed at Twilio. */
  forget(): void;
  /** How often a verification was asked about; all of them by default. */
  questions(verificationId?: string): number;
};

type Verification = { sid: string; number: string; code: string; status: "pending" | "approved" | "expired" };

export async function openVerifyService(): Promise<VerifyService> {
  const verifications: Verification[] = [];
  const pending = (number: string) =>
    verifications.find((each) => each.number === number && each.status === "pending");
  const questions: string[] = [];

  const start = (number: string): Reply => {
    let verification = pending(number);
    if (verification === undefined) {
      const nth = verifications.length + 1;
      verification = { sid: `VE${nth}`, number, code: String(400_000 + nth), status: "pending" };
      verifications.push(verification);
    }
    return said(201, { sid: verification.sid, status: "pending" });
  };
  const check = (sid: string, code: string): Reply => {
    questions.push(sid);
    const verification = verifications.find((each) => each.sid === sid && each.status === "pending");
    if (verification === undefined) return said(404, { code: 20404 });
    // Codes have four to ten digits.
    if (!/^\d{4,10}$/.test(code)) return said(400, { code: 60200 });
    if (verification.code === code) verification.status = "approved";
    return said(200, { sid, status: verification.status, valid: verification.status === "approved" });
  };
  const reply = async ({ path, body }: ReceivedRequest): Promise<Reply> => {
    const form = new URLSearchParams(body);
    if (path === "/v2/Services/VA01/Verifications") {
      await service.beforeSending();
      return service.isUp ? start(form.get("To")!) : { status: 503 };
    }
    if (!service.isUp) return { status: 503 };
    if (path === "/v2/Services/VA01/VerificationCheck") {
      await service.beforeAnswering();
      return check(form.get("VerificationSid")!, form.get("Code")!);
    }
    // Texts of ours.
    return path === "/2010-04-01/Accounts/AC01/Messages.json" ? said(201, {}) : { status: 404 };
  };

  const receiver = await openReceiver(reply);
  const service: VerifyService = {
    ...receiver,
    isUp: true,
    beforeSending: async () => {},
    beforeAnswering: async () => {},
    codeFor: (number) => pending(number)?.code,
    idFor: (number) => pending(number)?.sid,
    forget: () => {
      for (const verification of verifications) verification.status = "expired";
    },
    questions: (sid) => questions.filter((asked) => sid === undefined || asked === sid).length,
  };
  return service;
}

const said = (status: number, body: object): Reply => ({ status, body: JSON.stringify(body) });
