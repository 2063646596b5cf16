import type { Adapter, AdapterPayload } from "oidc-provider";

/**
 * Where one provider of a test keeps its codes, tokens and sign-ins. The package's own store would do, but warns at
 * each start that it is not for production.
 * @returns what the provider calls for each of its models
 */
export function openIdProviderStore(): (model: string) => Adapter {
  const stored = new Map<string, { model: string; payload: AdapterPayload; until: number }>();
  const live = (key: string): AdapterPayload | undefined => {
    const entry = stored.get(key);
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  };
  const findBy = (model: string, field: "uid" | "userCode", value: string): AdapterPayload | undefined => {
    for (const [key, entry] of stored) {
      if (entry.model === model && entry.payload[field] === value) return live(key);
    }
    return undefined;
  };
  return (model) => {
    const key = (id: string) => `${model}:${id}`;
    return {
      async upsert(id, payload, expiresIn) {
        stored.set(key(id), { model, payload, until: Date.now() + (expiresIn || 3600) * 1000 });
      },
      async find(id) {
        return live(key(id));
      },
      async findByUid(uid) {
        return findBy(model, "uid", uid);
      },
      async findByUserCode(userCode) {
        return findBy(model, "userCode", userCode);
      },
      async consume(id) {
        const payload = live(key(id));
        if (payload) payload.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        stored.delete(key(id));
      },
      async revokeByGrantId(grantId) {
        for (const [id, { payload }] of stored) if (payload.grantId === grantId) stored.delete(id);
      },
    };
  };
}
