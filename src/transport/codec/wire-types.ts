import { type DescField, ScalarType } from "@bufbuild/protobuf";

/** Wire types (protobuf encoding specification, "Message Structure"). */
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** What comes before a value on the wire. */
const tagOf = (number: number, wireType: number): number => ((number << 3) | wireType) >>> 0;

/** Of what has its length before it: text, bytes, messages, entries of maps, packed lists. */
export const delimitedTag = (number: number): number => tagOf(number, LENGTH_DELIMITED);

/** Of one value of the field, or of its list or map. */
export function valueTag(number: number, { message, scalar }: DescField): number {
  const isDelimited = message !== undefined || scalar === ScalarType.STRING || scalar === ScalarType.BYTES;
  return isDelimited ? delimitedTag(number) : tagOf(number, VARINT);
}
