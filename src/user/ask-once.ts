/**
 * Asks once for each key and gives everybody who asks again the same answer. For what a command must not do twice
 * although it may be decided again after a lost race: a slow hash, a question that is answered once.
 */
export function askOnce<A extends unknown[], R>(
  keyOf: (...question: A) => string,
  ask: (...question: A) => Promise<R>,
): (...question: A) => Promise<R> {
  const answers = new Map<string, Promise<R>>();
  return (...question) => {
    const key = keyOf(...question);
    const answer = answers.get(key) ?? ask(...question);
    answers.set(key, answer);
    return answer;
  };
}
