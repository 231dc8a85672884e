/**
 * `12,345.7`: thousands in groups, rounded to so many digits after the point; below 0, to tens,
 * hundreds and so on.
 */
export function rounded(value: number, decimals: number): string {
  const step = 10 ** -Math.min(0, decimals);
  const text = (Math.round(value / step) * step).toFixed(0);
  const digits = decimals > 0 ? value.toFixed(decimals) : text;
  const [whole, fraction] = digits.split('.');
  const groups = whole!.replace(/\B(?=(\d{3})+$)/g, ',');
  const all = fraction === undefined ? groups : `${groups}.${fraction}`;
  return /[1-9]/.test(all) ? all : all.replace('-', '');
}

/** `12,345,678` */
export const grouped = (value: number): string => rounded(value, 0);
