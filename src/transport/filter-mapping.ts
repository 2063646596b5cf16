import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { PaginationResponseSchema } from "../gen/zitadel/filter/v2/filter_pb.js";
import { type TextFilterMethod, TimestampFilterMethod } from "../gen/zitadel/filter/v2/filter_pb.js";
import { TextQueryMethod } from "../gen/zitadel/object/v2/object_pb.js";
import type { Comparison, TextMatch } from "../storage/conditions.ts";

const textMethods: { [method in TextQueryMethod]: Pick<TextMatch, "method" | "ignoreCase"> } = {
  [TextQueryMethod.EQUALS]: { method: "equals", ignoreCase: false },
  [TextQueryMethod.EQUALS_IGNORE_CASE]: { method: "equals", ignoreCase: true },
  [TextQueryMethod.STARTS_WITH]: { method: "startsWith", ignoreCase: false },
  [TextQueryMethod.STARTS_WITH_IGNORE_CASE]: { method: "startsWith", ignoreCase: true },
  [TextQueryMethod.CONTAINS]: { method: "contains", ignoreCase: false },
  [TextQueryMethod.CONTAINS_IGNORE_CASE]: { method: "contains", ignoreCase: true },
  [TextQueryMethod.ENDS_WITH]: { method: "endsWith", ignoreCase: false },
  [TextQueryMethod.ENDS_WITH_IGNORE_CASE]: { method: "endsWith", ignoreCase: true },
};

/** @param method one the contract defines; the two enums number their methods alike */
export function fromTextMethod(text: string, method: TextQueryMethod | TextFilterMethod): TextMatch {
  return { text, ...textMethods[method as number as TextQueryMethod] };
}

const comparisons: { [method in TimestampFilterMethod]: Comparison } = {
  [TimestampFilterMethod.EQUALS]: "=",
  [TimestampFilterMethod.AFTER]: ">",
  [TimestampFilterMethod.AFTER_OR_EQUALS]: ">=",
  [TimestampFilterMethod.BEFORE]: "<",
  [TimestampFilterMethod.BEFORE_OR_EQUALS]: "<=",
};

export function fromTimestampFilter(filter: { timestamp?: Timestamp; method: TimestampFilterMethod }): {
  comparison: Comparison;
  at: Date;
} {
  return {
    comparison: comparisons[filter.method],
    at: filter.timestamp ? timestampDate(filter.timestamp) : new Date(0),
  };
}

export function toPagination(page: {
  total: number;
  appliedLimit: number;
}): MessageInitShape<typeof PaginationResponseSchema> {
  return { totalResult: BigInt(page.total), appliedLimit: BigInt(page.appliedLimit) };
}
