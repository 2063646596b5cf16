import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { IdentityProviderRow } from "../storage/tables.ts";
import type { IdentityProviderEvent } from "./events.ts";

/** The folded state of an identity provider; it is its row. */
export type IdentityProviderState = IdentityProviderRow;

export const identityProviderAggregate: Aggregate<IdentityProviderState, IdentityProviderEvent> = {
  type: "idp",
  initialState: (id) => ({
    id,
    sequence: 0,
    status: "none",
    organizationId: null,
    type: "oidc",
    name: "",
    config: {},
    secret: null,
    options: {
      isLinkingAllowed: false,
      isCreationAllowed: false,
      isAutoCreation: false,
      isAutoUpdate: false,
      autoLinking: 0,
    },
    createdAt: new Date(0),
    changedAt: new Date(0),
  }),
  evolve: evolveBy(effect),
};

function effect(
  state: IdentityProviderState,
  event: Recorded<IdentityProviderEvent>,
): Partial<IdentityProviderState> {
  switch (event.type) {
    case "idp.added": {
      const { organizationId, type, name, config, secret, options } = event.payload;
      return {
        status: "active",
        organizationId: organizationId ?? null,
        type,
        name,
        config,
        secret: secret ?? null,
        options,
        createdAt: event.createdAt,
      };
    }
    case "idp.changed": {
      const { name, config, secret, options } = event.payload;
      return {
        name: name ?? state.name,
        config: config ?? state.config,
        secret: secret ?? state.secret,
        options: options ?? state.options,
      };
    }
    case "idp.removed":
      return { status: "removed", secret: null };
    default:
      return event satisfies never;
  }
}
