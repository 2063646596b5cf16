import { Code } from "@connectrpc/connect";
import type { ErrorSlug } from "../errors.ts";
import type { WireError } from "./wire-error.ts";

/** What identity providers, the walks to them and links to accounts there are refused with. */
export const idpErrors = {
  "user.idp_link_missing": { code: Code.InvalidArgument, id: "GATE-1dpLn" },
  "user.idp_link_user_not_found": { code: Code.FailedPrecondition, id: "COMMAND-vzktar7b7f" },
  "user.idp_link_provider_unknown": { code: Code.FailedPrecondition, id: "COMMAND-39nf2" },
  "user.idp_link_not_found": { code: Code.NotFound, id: "COMMAND-1M9xR" },
  "user.idp_links_too_many": { code: Code.FailedPrecondition, id: "GATE-1dpLm" },

  "idp.not_found": { code: Code.NotFound, id: "GATE-1dpNf" },
  "idp.name_empty": { code: Code.InvalidArgument, id: "GATE-1dpNm" },
  "idp.address_invalid": { code: Code.InvalidArgument, id: "GATE-1dpAd" },
  "idp.apple_key_invalid": { code: Code.InvalidArgument, id: "GATE-1dpAk" },
  "idp.unavailable": { code: Code.Unavailable, id: "GATE-1dpUn" },
  "idp.unusable": { code: Code.FailedPrecondition, id: "GATE-1dpUs" },
  "idp.content_missing": { code: Code.InvalidArgument, id: "GATE-1dpCm" },
  "idp.ldap_unimplemented": { code: Code.Unimplemented, id: "GATE-1dpLd" },
  "idp.return_url_invalid": { code: Code.InvalidArgument, id: "GATE-1dpRu" },
  "idp.intent_provider_unknown": { code: Code.FailedPrecondition, id: "COMMAND-39n221fs" },
  "idp.intent_not_succeeded": { code: Code.FailedPrecondition, id: "IDP-nme4gszsvx" },
  "idp.intent_expired": { code: Code.FailedPrecondition, id: "IDP-SAf42" },
} satisfies Partial<Record<ErrorSlug, WireError>>;
