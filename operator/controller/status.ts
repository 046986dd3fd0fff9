/** What the controller says of the mesh, from what the nodes published: one pure function. */
import type { MeshStatus } from '../config/resource.ts';
import { conditions } from './conditions.ts';
import { driverOf, type Facts, factsOf, named, rfc3339, type StatusInput } from './facts.ts';

/** With an invalid spec the last good one is in force on the nodes, and nobody knows it here: then only the conditions change. */
export function meshStatus(input: StatusInput): MeshStatus {
  const facts = factsOf(input);
  const { mesh, previous } = input;
  const observed = mesh.metadata.generation;
  const observedGeneration = observed === undefined ? {} : { observedGeneration: observed };
  if (mesh.invalid !== undefined)
    return { ...previous, ...observedGeneration, conditions: conditions(facts) };
  const lastRotationTime = lastRotation(facts);
  return {
    ...observedGeneration,
    ...(facts.generation === undefined ? {} : { generation: facts.generation }),
    ...(facts.driver === undefined ? {} : { driver: facts.driver }),
    nodes: {
      total: facts.total,
      encrypted: facts.encrypted,
      summary: `${facts.encrypted}/${facts.total}`,
      waiting: named(facts.waiting),
    },
    ...(facts.rotationStatus === undefined ? {} : { rotation: facts.rotationStatus }),
    ...(lastRotationTime === undefined ? {} : { lastRotationTime }),
    conditions: conditions(facts),
  };
}

/** When the last rotation ended, or encryption was enabled. A time to come, from a clock that was wrong, is now. */
function lastRotation({ mesh, previous, rotation: under, generation, now }: Facts): string | undefined {
  if (driverOf(mesh) === 'none') return undefined;
  const last = previous?.lastRotationTime;
  if (under !== undefined) return last;
  const ended = previous?.rotation !== undefined;
  const unseen = previous?.generation !== undefined && (generation ?? 0) > previous.generation;
  const enabled = last === undefined && generation !== undefined;
  const wrong = last !== undefined && Date.parse(last) > now + 1000;
  return ended || unseen || enabled || wrong ? rfc3339(now) : last;
}
