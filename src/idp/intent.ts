import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { IdpIntentRow } from "../storage/tables.ts";
import type { IdpIntentEvent } from "./events.ts";

/** The folded state of an intent; it is its row. */
export type IdpIntentState = IdpIntentRow;

export const idpIntentAggregate: Aggregate<IdpIntentState, IdpIntentEvent> = {
  type: "idpintent",
  initialState: (id) => ({
    id,
    sequence: 0,
    status: "none",
    idpId: "",
    successUrl: "",
    failureUrl: "",
    secrets: null,
    idpUserId: null,
    idpUserName: null,
    userId: null,
    idpUser: null,
    tokens: null,
    reason: null,
    expiresAt: null,
    createdAt: new Date(0),
    changedAt: new Date(0),
  }),
  evolve: evolveBy((_, event) => effect(event)),
};

function effect(event: Recorded<IdpIntentEvent>): Partial<IdpIntentState> {
  switch (event.type) {
    case "idpintent.started": {
      const { idpId, successURL, failureURL, secrets, expiresAt } = event.payload;
      return {
        status: "started",
        idpId,
        successUrl: successURL,
        failureUrl: failureURL,
        secrets,
        expiresAt: new Date(expiresAt),
        createdAt: event.createdAt,
      };
    }
    case "idpintent.succeeded": {
      const { idpUser, idpUserId, idpUserName, userId, tokens, expiresAt } = event.payload;
      return {
        status: "succeeded",
        secrets: null,
        idpUser,
        idpUserId,
        idpUserName,
        userId: userId ?? null,
        tokens,
        expiresAt: new Date(expiresAt),
      };
    }
    case "idpintent.failed":
      return { status: "failed", secrets: null, reason: event.payload.reason };
    case "idpintent.consumed":
      // What the provider handed out has served its purpose.
      return { status: "consumed", tokens: null };
    default:
      return event satisfies never;
  }
}
