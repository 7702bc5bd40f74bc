"""The operator: watches, decides, records, acts and reports."""
