import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Roll } from "../../src/transport/roll.ts";

describe("a roll", () => {
  it("knows who is here, whoever comes and goes", () => {
    // How many come, and which of those who are here leave after that.
    const steps = fc.array(fc.tuple(fc.nat(5), fc.array(fc.nat(), { maxLength: 5 })));
    fc.assert(
      fc.property(steps, (all) => {
        const roll = new Roll<{ name: number }>();
        const here = new Map<{ name: number }, () => void>();
        let name = 0;
        for (const [come, leave] of all) {
          for (let each = 0; each < come; each++) {
            const item = { name: name++ };
            here.set(item, roll.add(item));
          }
          for (const index of leave) {
            if (here.size === 0) break;
            const [item, remove] = [...here][index % here.size]!;
            remove();
            here.delete(item);
          }
          expect(new Set(roll)).toEqual(new Set(here.keys()));
          expect([...roll]).toHaveLength(here.size);
        }
      }),
    );
  });

  it("leaves those who have gone to the next collection of young objects", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as (options?: { type: "minor" }) => void;
    const roll = new Roll<object>();
    const comeAndGo = (times: number) => {
      const here: (() => void)[] = [];
      for (let time = 0; time < times; time++) {
        here.push(roll.add({ payload: new Array(100).fill(time) }));
        if (here.length > 64) here.shift()!();
        if (time % 1_000 === 0) collect({ type: "minor" });
      }
      for (const remove of here) remove();
    };
    comeAndGo(10_000);
    // From now on the roll itself is among the old objects.
    collect();
    const before = process.memoryUsage().heapUsed;
    comeAndGo(100_000);
    collect({ type: "minor" });
    // All that came are 90 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(9_000_000);
  });
});
