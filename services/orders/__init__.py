"""Customers' orders, and the process that takes each of them through stock, payment and shipping."""
