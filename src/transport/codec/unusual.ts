/** One for all: it says only that protobuf-es is to do the message, and nobody looks at its stack. */
const unusual = new Error("left to protobuf-es");

/** Ends the work on a message that holds something these codecs do not know. */
export function leaveIt(): never {
  throw unusual;
}

/** @returns undefined if the work was ended by {@link leaveIt} */
export function orLeft<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error === unusual) return undefined;
    throw error;
  }
}

/** What protobuf-es makes of a part of a message. What it refuses it is to refuse as a whole. */
export function byProtobufEs<Result>(work: () => Result): Result {
  try {
    return work();
  } catch {
    return leaveIt();
  }
}
