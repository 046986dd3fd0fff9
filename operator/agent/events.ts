/** Who listens to what happens in the agent: the followers of `/events`. */
import type { AgentEvent } from '../status.ts';

export type Listener = (event: AgentEvent) => void;

export class Events {
  readonly #listeners = new Set<Listener>();

  get followed(): boolean {
    return this.#listeners.size > 0;
  }

  emit(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Until the signal aborts. */
  follow(listener: Listener, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }
}
