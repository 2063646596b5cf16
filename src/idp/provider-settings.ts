import type { IdentityProviderRow } from "../storage/tables.ts";
import {
  apple,
  type EntraTenant,
  entra,
  genericOAuth,
  genericOidc,
  gitHub,
  gitLab,
  google,
} from "./protocol/presets.ts";
import type { Provider } from "./protocol/provider.ts";

type Client = { clientId: string; scopes: readonly string[] };

/** What a provider is configured with, by its type; the secret is kept apart. */
export type ProviderSettings =
  | ({ type: "oidc"; issuer: string; isIdTokenMapping: boolean } & Client)
  | ({
      type: "oauth";
      authorizationEndpoint: string;
      tokenEndpoint: string;
      userEndpoint: string;
      idAttribute: string;
    } & Client)
  | ({ type: "google" | "github" | "gitlab" } & Client)
  /** `emailVerified`: the operator vouches for the tenant's addresses. */
  | ({ type: "azure_ad"; tenant: EntraTenant; emailVerified: boolean } & Client)
  /** The secret is the private key, PKCS #8 in PEM. */
  | ({ type: "apple"; teamId: string; keyId: string } & Client);

/** The settings as they are stored, beside their type. */
export function configOf({ type: _, ...config }: ProviderSettings): Record<string, unknown> {
  return config;
}

/** What {@link configOf} took apart. */
export function settingsOf({ type, config }: Pick<IdentityProviderRow, "type" | "config">): ProviderSettings {
  return { type, ...config } as ProviderSettings;
}

/** The provider as the protocol sees it. */
export function protocolOf(settings: ProviderSettings, secret: string): Provider {
  const client = { ...settings, clientSecret: secret };
  switch (client.type) {
    case "oidc":
      return genericOidc({ ...client, idTokenOnly: client.isIdTokenMapping });
    case "oauth":
      return genericOAuth(client);
    case "google":
      return google(client);
    case "github":
      return gitHub(client);
    case "gitlab":
      return gitLab(client);
    case "azure_ad":
      return entra(client);
    case "apple":
      return apple({ ...client, privateKey: secret });
    default:
      return client satisfies never;
  }
}

/** Every address a person has typed in; those of the presets are known to be good. */
export function typedAddresses(settings: ProviderSettings): string[] {
  switch (settings.type) {
    case "oidc":
      return [settings.issuer];
    case "oauth":
      return [settings.authorizationEndpoint, settings.tokenEndpoint, settings.userEndpoint];
    default:
      return [];
  }
}
