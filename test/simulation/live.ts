/** What an agent goes by, made of what people wish. */
import type { MeshConfig } from '../../mesh/types.ts';
import type { LiveConfig } from '../../operator/agent/live.ts';
import type { Wish } from './api.ts';

const configs = new WeakMap<MeshConfig, Map<string, LiveConfig>>();

/** The same object for the same wish, as the agent's own configuration is. */
export function configOf(base: MeshConfig, wish: Wish, basis: LiveConfig['basis']): LiveConfig {
  const known = configs.get(base) ?? new Map<string, LiveConfig>();
  configs.set(base, known);
  const text = JSON.stringify([wish, basis]);
  const made = known.get(text);
  if (made !== undefined) return made;
  const { passOver, version, ...rest } = wish;
  const mesh = { ...base, ...rest, rotation: { ...base.rotation, passOver } };
  // Of the rest nothing is read here.
  const config = { mesh } as unknown as LiveConfig['config'];
  const live = {
    config,
    facts: { version: '1', observedGeneration: version, cannot: [] },
    publishFacts: true,
    basis,
  };
  known.set(text, live);
  return live;
}
