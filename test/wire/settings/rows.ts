import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { expect } from "vitest";
import type { Refusal } from "../../support/clients.ts";
import { refused } from "../../support/clients.ts";
import type { Cast } from "../../support/fixtures.ts";
import { time } from "../users/wire.ts";

/** Machine users of the cast, by what they may do. */
export const who = {
  owner: (cast: Cast) => cast.owner,
  loginClient: (cast: Cast) => cast.loginClient,
  viewer: (cast: Cast) => cast.viewer,
  userManager: (cast: Cast) => cast.userManager,
  orgOwner: (cast: Cast) => cast.orgOwner,
  orgUserManager: (cast: Cast) => cast.orgUserManager,
  permissionEditor: (cast: Cast) => cast.permissionEditor,
  otherOrgOwner: (cast: Cast) => cast.otherOrgOwner,
  nobody: (cast: Cast) => cast.nobody,
} as const;

export type Who = keyof typeof who;
export const everybody = Object.keys(who) as Who[];

/** The refusal of whoever lacks the permission a method's contract names. */
export const methodDenied: Refusal = refused(
  Code.PermissionDenied,
  "No matching permissions found",
  "AUTH-5mWD2",
);

/** What a write of the older services says of the aggregate it wrote. */
export const objectDetails = (resourceOwner: string): JsonObject => ({
  sequence: expect.stringMatching(/^\d+$/),
  creationDate: time,
  changeDate: time,
  resourceOwner,
});

/** The refusal of a request a rule of the contract forbids. */
export const invalid = (message: string): Refusal => ({ code: Code.InvalidArgument, message });

export const between = (least: number, most: number): string =>
  `value length must be between ${least} and ${most} runes, inclusive`;
export const defined = "value must be one of the defined enum values";
export const notZero = "value must not be in list [0]";
