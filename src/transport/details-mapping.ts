import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { DetailsSchema, ListDetailsSchema } from "../gen/zitadel/object/v2/object_pb.js";

/** What a write says of the aggregate it changed. */
export function toDetails({
  sequence,
  changedAt,
  createdAt,
  resourceOwner,
}: {
  sequence: number;
  changedAt: Date;
  createdAt: Date;
  resourceOwner: string;
}): MessageInitShape<typeof DetailsSchema> {
  return {
    sequence: BigInt(sequence),
    changeDate: timestampFromDate(changedAt),
    resourceOwner,
    creationDate: timestampFromDate(createdAt),
  };
}

/** @param now when the list was read, by the database's clock */
export function toListDetails(total: number, now: Date): MessageInitShape<typeof ListDetailsSchema> {
  return { totalResult: BigInt(total), timestamp: timestampFromDate(now) };
}
