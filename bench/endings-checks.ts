import { type Child, startChild } from "./child.ts";
import type { EndingsChecker, Judgement } from "./endings-checker.ts";

/** Checks on their way at any moment. */
export const CHECKING_CALLERS = 50;
const CHECKERS = 2;

/** The checkers as one. Counts are of all of them together. */
export async function startChecks(
  undo: AsyncDisposableStack,
  order: Omit<Parameters<EndingsChecker["start"]>[0], "callers">,
) {
  const checkers = Array.from({ length: CHECKERS }, () =>
    undo.use(startChild<EndingsChecker>("endings-checker.ts")),
  );
  const all = <T>(ask: (checker: Child<EndingsChecker>) => Promise<T>) => Promise.all(checkers.map(ask));
  await all((checker) => checker.call("start", { ...order, callers: CHECKING_CALLERS / CHECKERS }));
  return {
    answers: (count: number) => all((checker) => checker.call("answers", Math.ceil(count / CHECKERS))),
    ended: (times: Parameters<EndingsChecker["ended"]>[0]) => all((checker) => checker.call("ended", times)),
    /** @throws Error if any came out wrong */
    async judged(): Promise<Judgement> {
      const judgements = await all((checker) => checker.call("stop", undefined));
      const sum = (figure: (judgement: Judgement) => number) =>
        judgements.reduce((total, each) => total + figure(each), 0);
      const examples = judgements.flatMap((each) => each.examples);
      const wrong = sum((each) => each.wrong);
      if (wrong > 0) throw new Error(`${wrong} checks came out wrong:\n  ${examples.join("\n  ")}`);
      const [refused, accepted] = [sum((each) => each.refused), sum((each) => each.accepted)];
      return { refused, accepted, unanswered: sum((each) => each.unanswered), wrong, examples };
    },
  };
}
