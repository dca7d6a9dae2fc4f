import './global.css';

export const metadata = { title: 'Next.js on Sphere' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <main>{children}</main>
      </body>
    </html>
  );
}
