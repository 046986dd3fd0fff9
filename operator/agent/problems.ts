/** What is wrong now, by what found it. Each is said once when it comes and once when it goes. */
import type { Clock } from '../clock.ts';
import type { AgentProblem } from '../status.ts';

export type ProblemFacts = Omit<AgentProblem, 'since'>;

export interface ProblemLog {
  warn(facts: object, message: string): void;
  info(facts: object, message: string): void;
}

export class Problems {
  readonly #clock: Clock;
  readonly #log: ProblemLog;
  /** By finder, then by code, node and message. */
  readonly #found = new Map<string, ReadonlyMap<string, AgentProblem>>();

  constructor(clock: Clock, log: ProblemLog) {
    this.#clock = clock;
    this.#log = log;
  }

  /** All that `finder` knows to be wrong now; what it said before and does not say now is over. */
  found(finder: string, problems: readonly ProblemFacts[]): void {
    const before = this.#found.get(finder) ?? new Map<string, AgentProblem>();
    const now = new Map<string, AgentProblem>();
    for (const problem of problems) {
      const key = JSON.stringify([problem.code, problem.node, problem.message]);
      const known = before.get(key);
      now.set(key, known ?? { ...problem, since: this.#clock.now() });
      if (known === undefined) this.#log.warn(facts(finder, problem), problem.message);
    }
    for (const [key, problem] of before) {
      if (!now.has(key)) this.#log.info(facts(finder, problem), `over: ${problem.message}`);
    }
    if (now.size === 0) this.#found.delete(finder);
    else this.#found.set(finder, now);
  }

  /** Oldest first. */
  list(): readonly AgentProblem[] {
    return [...this.#found.values()].flatMap((each) => [...each.values()]).sort((a, b) => a.since - b.since);
  }
}

function facts(finder: string, problem: ProblemFacts): object {
  return {
    event: 'problem',
    part: finder,
    code: problem.code,
    ...(problem.node === undefined ? {} : { peer: problem.node }),
  };
}
