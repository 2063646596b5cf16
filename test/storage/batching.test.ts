import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BatchLoader } from "../../src/storage/batch-loader.ts";
import { GroupCommit } from "../../src/storage/group-commit.ts";

/** A backend whose batches finish when, and in the order, the test says. */
function gate<I, O>(answer: (batch: I[]) => O) {
  const batches: { batch: I[]; finish: () => void; fail: (error: unknown) => void }[] = [];
  const run = (batch: I[]) =>
    new Promise<O>((resolve, reject) =>
      batches.push({ batch, finish: () => resolve(answer(batch)), fail: reject }),
    );
  return { batches, run };
}

const settledTurns = () => new Promise((resolve) => setImmediate(resolve));

// Time passes only as it is told to, and the thread is as idle as it is told to be.
const thread = { now: 0, idle: 0 };
beforeEach(() => {
  Object.assign(thread, { now: 0, idle: 0 });
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  vi.spyOn(performance, "now").mockImplementation(() => thread.now);
  vi.spyOn(performance, "eventLoopUtilization").mockImplementation(() => ({
    idle: thread.idle,
    active: thread.now - thread.idle,
    utilization: 0,
  }));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});
function pass(milliseconds: number, { idle }: { idle: boolean }) {
  thread.now += milliseconds;
  if (idle) thread.idle += milliseconds;
  vi.advanceTimersByTime(milliseconds);
}

describe("batched reads", () => {
  const loader = (lanes: number) => {
    const backend = gate(
      (keys: string[]) => new Map(keys.filter((key) => key !== "missing").map((key) => [key, `${key}!`])),
    );
    return { ...backend, loader: new BatchLoader(backend.run, { lanes }) };
  };

  it("ask at once when idle, and once for the callers of one tick", async () => {
    const { batches, loader: sessions } = loader(1);
    const answers = Promise.all([
      sessions.load("a"),
      sessions.load("b"),
      sessions.load("a"),
      sessions.load("missing"),
    ]);
    await settledTurns();
    expect(batches.map(({ batch }) => batch)).toEqual([["a", "b", "missing"]]);
    batches[0]!.finish();
    expect(await answers).toEqual(["a!", "b!", "a!", undefined]);
  });

  it("never answer a question from a query that was sent before it was asked", async () => {
    const { batches, loader: sessions } = loader(1);
    const first = sessions.load("a");
    await settledTurns();
    const second = sessions.load("a");
    await settledTurns();
    expect(batches).toHaveLength(1);
    batches[0]!.finish();
    await first;
    await settledTurns();
    expect(batches.map(({ batch }) => batch)).toEqual([["a"], ["a"]]);
    batches[1]!.finish();
    expect(await second).toBe("a!");
  });

  it("are sent beside a query on its way for many keys only", async () => {
    const { batches, loader: sessions } = loader(2);
    const ask = async (count: number) => {
      const asked = Array.from({ length: count }, (_, index) => sessions.load(`key ${index}`));
      await settledTurns();
      return asked;
    };
    const answers = [...(await ask(1)), ...(await ask(63))];
    expect(batches.map(({ batch }) => batch.length)).toEqual([1]);
    answers.push(...(await ask(1)));
    expect(batches.map(({ batch }) => batch.length)).toEqual([1, 63]);
    for (const { finish } of batches) finish();
    expect(await Promise.all(answers)).toHaveLength(65);
  });

  it("go past a query that is held up, in the other lane", async () => {
    const { batches, loader: sessions } = loader(2);
    const first = sessions.load("a");
    await settledTurns();
    const second = sessions.load("b");
    pass(4, { idle: true });
    pass(100, { idle: false });
    await settledTurns();
    expect(batches).toHaveLength(1);
    pass(5, { idle: true });
    await settledTurns();
    const third = sessions.load("c");
    await settledTurns();
    expect(batches.map(({ batch }) => batch)).toEqual([["a"], ["b"]]);
    batches[1]!.finish();
    expect(await second).toBe("b!");
    await settledTurns();
    batches[2]!.finish();
    batches[0]!.finish();
    expect(await Promise.all([first, third])).toEqual(["a!", "c!"]);
  });

  it("give a failure to those who asked, and work again for the next", async () => {
    const { batches, loader: sessions } = loader(1);
    const asked = Promise.allSettled([sessions.load("a"), sessions.load("b")]);
    await settledTurns();
    batches[0]!.fail(new Error("gone"));
    expect((await asked).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const again = sessions.load("a");
    await settledTurns();
    batches[1]!.finish();
    expect(await again).toBe("a!");
  });
});

describe("group commit", () => {
  type Unit = { keys: string[]; name: number };
  const commits = (lanes: number) => {
    const backend = gate((units: Unit[]) => units.map(({ name }) => ({ ok: true as const, value: name })));
    return { ...backend, commits: new GroupCommit<Unit, number>(backend.run, ({ keys }) => keys, { lanes }) };
  };

  it("writes a lone unit at once, and what comes meanwhile in the next batch", async () => {
    const { batches, commits: group } = commits(1);
    const unit = (name: number) => group.commit({ keys: [`k${name}`], name });
    const all = [unit(1)];
    await settledTurns();
    all.push(unit(2), unit(3));
    await settledTurns();
    expect(batches.map(({ batch }) => batch.map(({ name }) => name))).toEqual([[1]]);
    batches[0]!.finish();
    await settledTurns();
    expect(batches.map(({ batch }) => batch.map(({ name }) => name))).toEqual([[1], [2, 3]]);
    batches[1]!.finish();
    expect(await Promise.all(all)).toEqual([1, 2, 3]);
  });

  it("opens another lane for many units only, so that one write that hangs holds up few", async () => {
    const { batches, commits: group } = commits(3);
    const sizes = () => batches.map(({ batch }) => batch.length);
    let name = 0;
    const units = async (count: number) => {
      const committed = Array.from({ length: count }, () => group.commit({ keys: [`k${++name}`], name }));
      await settledTurns();
      return committed;
    };
    const all = await units(1);
    all.push(...(await units(63)));
    expect(sizes()).toEqual([1]);
    all.push(...(await units(1)));
    expect(sizes()).toEqual([1, 32]);
    batches[1]!.finish();
    await settledTurns();
    all.push(...(await units(100)));
    expect(sizes()).toEqual([1, 32, 66, 66]);
    all.push(...(await units(200)));
    expect(sizes()).toHaveLength(4);
    for (let index = 0; index < batches.length; index++) {
      batches[index]!.finish();
      await settledTurns();
    }
    expect(Math.max(...sizes())).toBe(128);
    expect(await Promise.all(all)).toHaveLength(365);
  });

  it("needs half as many for another lane while the thread has time to spare", async () => {
    const { batches, commits: group } = commits(2);
    let name = 0;
    const units = async (count: number) => {
      const committed = Array.from({ length: count }, () => group.commit({ keys: [`k${++name}`], name }));
      await settledTurns();
      return committed;
    };
    const all = [];
    for (let index = 0; index < 20; index++) {
      all.push(...(await units(1)));
      pass(1, { idle: true });
      batches[index]!.finish();
      await settledTurns();
    }
    all.push(...(await units(1)), ...(await units(31)));
    expect(batches).toHaveLength(21);
    all.push(...(await units(1)));
    expect(batches.map(({ batch }) => batch.length).slice(20)).toEqual([1, 32]);
    for (const { finish } of batches) finish();
    await Promise.all(all);
  });

  it("goes past a write that is held up, and is back to one at a time when it is over", async () => {
    const { batches, commits: group } = commits(3);
    const names = () => batches.map(({ batch }) => batch.map(({ name }) => name));
    const unit = (name: number) => group.commit({ keys: [`k${name}`], name });
    const all = [unit(1)];
    await settledTurns();
    pass(5, { idle: true });
    all.push(unit(2));
    await settledTurns();
    all.push(unit(3));
    await settledTurns();
    expect(names()).toEqual([[1], [2]]);
    batches[0]!.finish();
    await settledTurns();
    expect(names()).toEqual([[1], [2]]);
    batches[1]!.finish();
    await settledTurns();
    all.push(unit(4));
    await settledTurns();
    expect(names()).toEqual([[1], [2], [3]]);
    batches[2]!.finish();
    await settledTurns();
    batches[3]!.finish();
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4]);
  });

  it("never has one aggregate twice in a batch, and keeps each aggregate's units in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 20,
        }),
        async (keySets) => {
          const { batches, commits: group } = commits(1);
          const all = keySets.map((keys, name) => group.commit({ keys, name }));
          const written: Unit[] = [];
          for (let index = 0; written.length < keySets.length; index++) {
            await settledTurns();
            const { batch, finish } = batches[index]!;
            const keys = batch.flatMap((unit) => unit.keys);
            expect(new Set(keys).size).toBe(keys.length);
            written.push(...batch);
            finish();
          }
          await Promise.all(all);
          for (const key of ["a", "b", "c", "d"]) {
            const names = written.filter((unit) => unit.keys.includes(key)).map(({ name }) => name);
            expect(names).toEqual([...names].sort((x, y) => x - y));
          }
        },
      ),
    );
  });

  it("lets any number guard an aggregate together, and none share a batch with its change, in order", async () => {
    type Guarding = { name: number; key: string; changes: boolean };
    const unit = fc.record({ key: fc.constantFrom("a", "b"), changes: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(unit, { minLength: 1, maxLength: 20 }), async (units) => {
        const backend = gate((batch: Guarding[]) =>
          batch.map(({ name }) => ({ ok: true as const, value: name })),
        );
        const group = new GroupCommit<Guarding, number>(
          backend.run,
          ({ key, changes }) => (changes ? [key] : []),
          { guardsOf: ({ key, changes }) => (changes ? [] : [key]) },
        );
        const all = units.map((each, name) => group.commit({ ...each, name }));
        const places: number[] = [];
        for (let index = 0, written = 0; written < units.length; index++) {
          await settledTurns();
          const { batch, finish } = backend.batches[index]!;
          for (const key of ["a", "b"]) {
            const touching = batch.filter((each) => each.key === key);
            if (touching.some(({ changes }) => changes)) expect(touching).toHaveLength(1);
          }
          for (const { name } of batch) places[name] = index;
          written += batch.length;
          finish();
        }
        await Promise.all(all);
        for (const [later, { key, changes }] of units.entries()) {
          for (const [earlier, other] of units.slice(0, later).entries()) {
            if (other.key !== key || !(changes || other.changes)) continue;
            expect(places[earlier]!).toBeLessThan(places[later]!);
          }
        }
        if (units.every(({ changes }) => !changes)) expect(backend.batches).toHaveLength(1);
      }),
    );
  });

  it("fails everyone of a batch that was not stored, and goes on with the next", async () => {
    const { batches, commits: group } = commits(1);
    const first = group.commit({ keys: ["a"], name: 1 });
    await settledTurns();
    const second = group.commit({ keys: ["b"], name: 2 });
    batches[0]!.fail(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    await settledTurns();
    batches[1]!.finish();
    expect(await second).toBe(2);
  });
});
