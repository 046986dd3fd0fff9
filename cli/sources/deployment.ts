/** How the manifests run the agents: by this the CLI finds them. */
import { labelsOf } from '../../operator/manifests/names.ts';

export { AGENT_PORT, NAMESPACE } from '../../operator/manifests/names.ts';
export const AGENT_LABELS = labelsOf('agent');
