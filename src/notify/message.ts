/** What a mail is for; the names are the ones webhook receivers know (spec, user slice §19). */
export type MailKind = "VerifyEmailOTP" | "VerifyEmail" | "PasswordReset" | "PasskeyRegistration";
/** What a text message is for. */
export type SmsKind = "VerifySMSOTP" | "VerifyPhone" | "PasswordReset";
export type MessageKind = MailKind | SmsKind;

export type Channel = "email" | "sms";

/** The words of a message, in parts, so that a receiver of webhooks can lay them out itself. */
export type MessageText = {
  title: string;
  /** What a list of mails shows after the subject. */
  preHeader: string;
  subject: string;
  greeting: string;
  text: string;
  /** What the link is called. */
  buttonText: string;
};

/** A message ready to leave the house; it holds the code in the clear and is never stored or logged. */
export type Message = {
  /** The same at every attempt, so that a receiver can tell a repetition. */
  id: string;
  kind: MessageKind;
  channel: Channel;
  /** An e-mail address, or a phone number in E.164 form. */
  recipient: string;
  /** The event that asked for it, such as `session.otp.email.challenged`. */
  eventType: string;
  content: MessageText;
  /** The link to follow, rendered. */
  url?: string | undefined;
  /** The variables the text was made of, by the names webhook receivers know: `code`, `userID`, `loginName`. */
  args: Readonly<Record<string, string | number>>;
};
