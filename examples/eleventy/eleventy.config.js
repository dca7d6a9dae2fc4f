export default function (eleventy) {
  eleventy.addPassthroughCopy({ 'src/style.css': 'style.css' });
  return { dir: { input: 'src' } };
}
