import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { DetailsSchema, ListDetailsSchema } from "../gen/zitadel/object/v2/object_pb.js";
import type { ObjectDetailsSchema } from "../gen/zitadel/object_pb.js";

/** What a write answers, or a read shows, about an aggregate. */
export function toDetails(details: {
  sequence: number;
  changedAt: Date;
  createdAt: Date;
  resourceOwner: string;
}): MessageInitShape<typeof DetailsSchema> {
  return {
    sequence: BigInt(details.sequence),
    changeDate: timestampFromDate(details.changedAt),
    creationDate: timestampFromDate(details.createdAt),
    resourceOwner: details.resourceOwner,
  };
}

/** The same in the words of the older services. */
export function toObjectDetails(
  details: Parameters<typeof toDetails>[0],
): MessageInitShape<typeof ObjectDetailsSchema> {
  const { sequence, changedAt, createdAt, resourceOwner } = details;
  return {
    sequence: BigInt(sequence),
    creationDate: timestampFromDate(createdAt),
    changeDate: timestampFromDate(changedAt),
    resourceOwner,
  };
}

/** @param now the database's clock at the read */
export function toListDetails(total: number, now: Date): MessageInitShape<typeof ListDetailsSchema> {
  return { totalResult: BigInt(total), timestamp: timestampFromDate(now) };
}

/** Which rows of a list: `limit` 0 is the server's default. */
export type PageRequest = { offset: number; limit: number; ascending: boolean };

/** Pages as `zitadel.object.v2.ListQuery` and `zitadel.filter.v2.PaginationRequest` ask for them. */
export function fromPage(page: { offset: bigint; limit: number; asc: boolean } | undefined): PageRequest {
  const offset = page?.offset ?? 0n;
  return {
    // Past the end is past the end; the database takes no more than 63 bits.
    offset: offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(offset),
    limit: page?.limit ?? 0,
    ascending: page?.asc ?? false,
  };
}
