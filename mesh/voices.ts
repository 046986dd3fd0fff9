/** Whose word counts: the other nodes that have a key, or will have one. */
import { isBelieved, type Vote } from './common-generation.ts';
import type { Electorate } from './driver-choice.ts';
import type { Encryption, NodeRecord } from './types.ts';

/** All agents hear of it when encryption is switched on, and nobody has a key yet: what they say of themselves tells who will. */
export function willTakePart({ generations, agent }: NodeRecord, encryption: Encryption): boolean {
  if (generations.length > 0) return true;
  if (agent === undefined || agent.takesPart === false) return false;
  return !agent.cannot.some((text) => text.startsWith(`${encryption}: `));
}

export function voicesOf({ others, target }: Electorate): number {
  return others.filter((record) => willTakePart(record, target.encryption)).length;
}

export function believed(scene: Electorate, vote: Vote | undefined): Vote | undefined {
  const { generation } = scene.target;
  return vote !== undefined && isBelieved(vote, generation, voicesOf(scene)) ? vote : undefined;
}
