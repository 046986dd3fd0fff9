/** What the people wish, as an agent hears of it. */
import type { Clock } from '../../operator/clock.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { reflect } from '../../operator/kube/reflector.ts';
import { WISHES, type Wish } from './api.ts';

export interface WishesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly follow: (wish: Wish) => void;
}

export function followWishes({ follow, ...options }: WishesOptions, signal: AbortSignal): Promise<void> {
  const handler = {
    replace: ([wish]: readonly Wish[]) => wish !== undefined && follow(wish),
    upsert: follow,
    remove: () => {},
    failed: onFault,
  };
  const keep = (object: unknown) => (object as { readonly spec: Wish }).spec;
  return reflect({ ...options, path: WISHES, keep, handler }, signal);
}

/** Nothing of ours may throw unnoticed. */
export function onFault(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
