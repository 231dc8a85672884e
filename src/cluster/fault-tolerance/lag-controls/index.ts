import { lagControlRegistry } from './lag-control.ts';
import { product } from './product.ts';
import { proportional } from './proportional.ts';

/** Every way of holding the primary back: a new one is one file and one line here. */
export const lagControls = lagControlRegistry([product, proportional]);
