/** Sentences for what drivers keep from coming to be. */
import type { Choice } from './driver-choice.ts';
import type { LifecycleProblem } from './lifecycle-types.ts';
import type { Driver } from './stance.ts';

const named = ({ number, driver }: Choice) => `generation ${number} (${driver})`;

/** @param wished driver */
export function held(newest: Choice, wished: Driver): LifecycleProblem {
  const message = `${wished} is asked for, and ${named(newest)} is held: a generation never changes its driver; raise spec.generation to ${newest.number + 1}, as 'sheath enable --encryption ${wished}' does`;
  return { code: 'DRIVER_HELD', message };
}

/** @param why of the agent's `cannot` @param instead what it holds, or takes; undefined: nothing */
export function unable(next: Choice, why: string, instead: Choice | undefined): LifecycleProblem {
  const meanwhile =
    instead === undefined ? 'and has no tunnel meanwhile' : `and is on ${named(instead)} meanwhile`;
  return {
    code: 'DRIVER_UNABLE',
    message: `this node cannot begin ${named(next)}, ${meanwhile}: ${why}`,
  };
}
